"""Changing what was signed: the plan of a change, and the filed resource as it stands just before it is changed."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from app.artifacts.store import ArtifactStore
from app.db import Database
from app.errors import Refused
from app.ids import NoteId, WritebackId
from app.notes.commands import Kind
from app.notes.plan import ASKED, NOTE, Plan, plan_changes
from app.notes.prepare import as_answer
from app.notes.reading import ReadNote, read_note
from app.policy.mutation import SENTENCES, Asked
from app.tenants.directory import Tenants
from app.tenants.ehr import EHRs
from app.tenants.launches import Launch
from app.tenants.standing import standing_of
from vendors.contract import Stored
from vendors.errors import NotFound, VendorError

SERVERS_OWN = frozenset({"meta", "text"})
# What a note says and where it hangs: a replacement puts it aside, and nothing else of the old resource.
REPLACED = frozenset({"status", "docStatus", "subject", "context", "author", "type", "content"})


class Changes:
    """Plans changes of signed notes, and reads what they act on."""

    def __init__(self, database: Database, artifacts: ArtifactStore, tenants: Tenants, ehrs: EHRs) -> None:
        self._database = database
        self._artifacts = artifacts
        self._tenants = tenants
        self._ehrs = ehrs

    def plan(self, tx: Connection, asked: Asked, launch: Launch, note: ReadNote, of: WritebackId | None = None) -> Plan:
        """What would become of this change under this launch now."""
        return self.plans(tx, (asked,), launch, note, of)[asked]

    def plans(
        self, tx: Connection, asked: Sequence[Asked], launch: Launch, note: ReadNote, of: WritebackId | None = None
    ) -> dict[Asked, Plan]:
        """The same for several changes that might be asked for."""
        tenant, profile = self._ehrs.tenant(launch.tenant_id), self._ehrs.adapter(launch.tenant_id).profile
        standing = standing_of(tx, self._tenants, tenant.id, note.state.draft_recorded.workflow)
        return plan_changes(tx, self._artifacts, asked, launch, note, tenant, profile, standing, of)

    def plan_of_amendment(self, tx: Connection, launch: Launch, note: ReadNote) -> Plan | None:
        """The plan of the change that is under way; None while the note is signed for the first time."""
        amendment = note.state.amendment
        return self.plan(tx, ASKED[Kind(amendment.kind)], launch, note) if amendment else None

    def base_of_amendment(self, launch: Launch, note_id: NoteId) -> Stored | None:
        """The filed note that the change under way would update, read now; None where it updates none.

        What is only replaced is read too: nobody may have looked since a person changed it. Raises `Refused` when it is
        not as it was filed, `AddressChanged` when the EHR moved since and nobody said that it is the same, and what a
        failed read means (`TryAgain`, `NeedsSignIn`).
        """
        with self._database.read() as tx:
            note = read_note(tx, self._artifacts, launch.tenant_id, note_id)
            plan = self.plan_of_amendment(tx, launch, note)
        self._require_same_ehr(launch, plan)
        if plan is None or not plan.puts_aside_what_is_filed:
            return None
        base = self.base_of(launch, plan)
        return base if plan.changes_what_is_filed else None

    def base_of(self, launch: Launch, plan: Plan) -> Stored:
        """The filed resource that a plan changes or replaces, read now under this launch. Raises as above."""
        self._require_same_ehr(launch, plan)
        ehr = self._ehrs.adapter(launch.tenant_id)
        transport = self._ehrs.under_grant_of(launch.tenant_id, launch.launch_id)
        try:
            stored = ehr.read(transport, NOTE, plan.target.partition("/")[2])
        except NotFound as gone:
            raise Refused(SENTENCES["look_first"].format(ehr=ehr.profile.title)) from gone
        except VendorError as error:
            raise as_answer(error) from error
        if not self._is_as_filed(launch, plan, stored):
            raise Refused(SENTENCES["changed_in_ehr"].format(ehr=ehr.profile.title))
        return stored

    def _require_same_ehr(self, launch: Launch, plan: Plan | None) -> None:
        """What is changed, or added to, is named by an id of the EHR that it was filed in (F45)."""
        if plan and plan.target:
            self._ehrs.require_same_ehr(launch.tenant_id, plan.original.write.queued.fhir_base)

    def _is_as_filed(self, launch: Launch, plan: Plan, stored: Stored) -> bool:
        """Whether nobody has changed it since it was read back, whatever its version says (C11)."""
        kept = plan.original.write.stored
        if kept is None:
            return False
        with self._database.read() as tx:
            then = json.loads(self._artifacts.open(tx, launch.tenant_id, kept))
        names = None if plan.changes_what_is_filed else REPLACED
        return _content(then, names) == _content(stored.resource, names)


def _content(resource: dict[str, Any], names: frozenset[str] | None) -> dict[str, Any]:
    """What a person can change of it; `names`: of these fields alone."""
    kept = resource.keys() - SERVERS_OWN if names is None else names & resource.keys()
    return {name: resource[name] for name in kept}
