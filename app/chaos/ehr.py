"""The simulated EHRs inside this process, with everything that a simulation must see and do past every scope.

This and `staff.py` are the files of the app that know the sandbox. Everywhere else the two meet over HTTP; a simulation
of thousands of histories cannot afford sockets, and asserts against the EHR's own store.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from requests.exceptions import ConnectionError as ConnectionLost
from requests.exceptions import ReadTimeout

from app.chaos.clock import SimulatedTime
from app.chaos.faults import Fault
from app.chaos.staff import Staff
from app.chaos.wire import Answered, Written, knob_of, words_of
from sandbox.clock import Clock
from sandbox.errors import NoAnswer
from sandbox.in_process import Granted, SandboxInProcess
from sandbox.personality import Personality, load_personality
from sandbox.qa.callbacks import Delivery, Subscription
from sandbox.qa.faults import Fault as Knob
from sandbox.qa.knobs import usable

ORIGIN = "https://ehr.example"
CLIENT, SECRET = "countersign-chaos", "a-secret-of-the-simulation-only"
# Which profile each is met with. The third is the reference EHR without conditional creates: it stores a second copy
# of whatever is sent twice, and a search by our identifier shows both. No vendor is meant by it.
PLAIN = "plain"
PROFILES = {"reference": "reference", "epic": "epic", PLAIN: "veradigm"}
NAMES = tuple(PROFILES)
__all__ = ["Granted"]  # for whoever may not know the sandbox
CLINICIANS = ("doctor-1", "doctor-2", "doctor-3")
RIGHTS = "cruds"
CHANGED_BY_US = (
    "DocumentReference",
    "Provenance",
    "Encounter",
    "Observation",
    "Condition",
    "AllergyIntolerance",
    "Task",
)
ONLY_READ = ("Patient", "Practitioner", "Binary", "Organization")
SCOPES = [
    "openid fhirUser launch offline_access",
    *(f"user/{kind}.{RIGHTS}" for kind in CHANGED_BY_US),
    *(f"user/{kind}.rs" for kind in ONLY_READ),
]
SCOPE = " ".join(SCOPES)
# Its notices of changes are signed with this, and are about all that is filed, and about patients.
CALLBACK_SECRET = "another-secret-of-the-simulation-only"  # noqa: S105 - it opens nothing
SIGNED_AT = "X-Signature-Timestamp"
NO_LONGER = frozenset({"entered-in-error", "superseded"})


@dataclass(frozen=True)
class Visit:
    """A chart in which a note is written."""

    ehr: str
    patient: str
    encounter: str


@dataclass(frozen=True)
class Held:
    """What the chart has now of something that was written, whoever asks."""

    is_there: bool
    is_live: bool
    touched_by_person: bool
    patient_was_merged: bool
    brought_back: bool
    words: str


class SimulatedEHRs:
    """The EHRs of all tenants."""

    def __init__(self, time: SimulatedTime) -> None:
        self._time = time
        clock = Clock(now=time.epoch, sleep=time.pass_by)
        app = {
            "client_id": CLIENT,
            "redirect_uris": ["http://app.localhost:8410/callback/none"],
            "launch_url": "http://app.localhost:8410/launch",
            "auth": {"method": "client_secret_basic", "secret": SECRET},
        }
        self._sandbox = SandboxInProcess(ORIGIN, {name: [app] for name in NAMES}, clock, {PLAIN: _plain()})
        self._began = 0
        self._seen_writes = dict.fromkeys(NAMES, 0)
        self.staff = {name: Staff(self._sandbox[name]) for name in NAMES}
        for name in NAMES:
            for clinician in CLINICIANS:
                self._sandbox[name].store.create(_practitioner(clinician))

    def base(self, name: str) -> str:
        """The FHIR base."""
        return self._sandbox[name].fhir_base

    def issuer(self, name: str) -> str:
        """The OpenID issuer."""
        return self._sandbox[name].issuer

    def exchange(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Answered:
        """One request. Raises what `requests` would where a knob breaks the connection."""
        try:
            return self._sandbox.exchange(method, url, headers, body)
        except NoAnswer as broken:
            self._time.pass_by(min(getattr(broken, "seconds", 0), 30))
            raise (ReadTimeout if "silent" in str(broken) else ConnectionLost)("no answer") from None

    def turn_knob(self, name: str, _method: str, fault: Fault) -> Callable[[], None]:
        """Switch the EHR's own fault on for one request; what comes back switches it off."""
        faults = self._sandbox[name].faults
        knob = Knob(fault=knob_of(fault), interaction="any", seconds=max(fault.seconds, 1))
        faults.arm(usable(knob))
        return lambda: faults.clear(knob.fault)

    def open_visit(self, name: str, patient: str, encounter: str) -> Visit:
        """A patient, if there is none of this id yet, and a visit that has begun."""
        store = self._sandbox[name].store
        self.admit(name, patient)
        store.create(_encounter(encounter, patient, self._time))
        return Visit(name, patient, encounter)

    def admit(self, name: str, patient: str) -> None:
        """A patient, if there is none of this id yet."""
        store = self._sandbox[name].store
        if store.read("Patient", patient) is None:
            store.create(_patient(patient))

    def grant(self, visit: Visit, clinician: str) -> Granted:
        """What the authorization server gives for a launch of this clinician in this chart."""
        return self._sandbox.grant(visit.ehr, CLIENT, clinician, visit.patient, visit.encounter, SCOPE)

    def revoke(self, name: str, granted: Granted) -> None:
        """End a grant as an administrator of the EHR would."""
        self._sandbox.revoke(name, granted)

    def written_since(self, name: str) -> list[Written]:
        """What was written under some token since this was last asked."""
        rows = self._sandbox[name].database.rows(
            "SELECT w.*, t.family FROM writes w JOIN tokens t ON t.token_sha256 = w.token_sha256"
            " WHERE w.number > ? ORDER BY w.number",
            self._seen_writes[name],
        )
        if rows:
            self._seen_writes[name] = rows[-1]["number"]
        return [
            Written(
                name,
                row["resource_type"],
                row["id"],
                row["version"],
                row["interaction"],
                row["subject"],
                row["patient"] or "",
                row["family"],
            )
            for row in rows
        ]

    def held(self, written: Written) -> Held:
        """One resource that was written here, as it is now."""
        staff, name = self.staff[written.ehr], written.resource_type
        found = self._sandbox[written.ehr].store.read(name, written.resource_id)
        place, patient = f"{name}/{written.resource_id}", f"Patient/{written.patient}"
        is_live = found is not None and not NO_LONGER & {found.get("status"), _verification(found)}
        words = self._words(written.ehr, found)
        is_merged = patient in staff.touched
        return Held(found is not None, is_live, place in staff.touched, is_merged, place in staff.brought_back, words)

    def _words(self, name: str, found: dict[str, Any] | None) -> str:
        attachment = found["content"][0]["attachment"] if found and "content" in found else {}
        if "url" not in attachment:
            return words_of(found)
        binary = self._sandbox[name].store.read("Binary", attachment["url"].rpartition("/")[2])
        return base64.b64decode((binary or {}).get("data", "")).decode()

    def notices(self, name: str, fault: Fault | None) -> list[Delivery]:
        """What the EHR posts now about what changed in its charts since it was last asked."""
        faults = self._sandbox[name].faults
        if fault:
            faults.arm(usable(Knob(fault=fault.kind, interaction="callback", seconds=fault.seconds, times=None)))
        due = self._sandbox[name].callbacks.due()
        faults.clear(fault.kind if fault else "")
        now = str(int(self._time.epoch()))
        return [one for one in due if int(one.headers.get(SIGNED_AT, now)) >= self._began]

    def forget(self) -> None:
        """Begin a new history: what was armed is disarmed, and notices are about what comes from now on."""
        self._began = int(self._time.epoch())
        for name in NAMES:
            self._sandbox[name].faults.clear()
            self.staff[name].begin()
            types = (*CHANGED_BY_US, "Patient")
            url = f"/api/v1/callbacks/{name}-hospital"
            subscription = Subscription(url=url, secret=CALLBACK_SECRET, types=types, automatic=False)
            self._sandbox[name].callbacks.subscribe(subscription)


def _verification(found: dict[str, Any]) -> str:
    codings = found.get("verificationStatus", {}).get("coding") or [{}]
    return str(codings[0].get("code", ""))


def _plain() -> Personality:
    rich = load_personality("reference")
    return rich.model_copy(update={"name": PLAIN, "fhir": rich.fhir.model_copy(update={"conditional_create": False})})


def _practitioner(key: str) -> dict[str, Any]:
    return {"resourceType": "Practitioner", "id": key, "name": [{"family": key, "given": ["Sim"], "text": key}]}


def _patient(key: str) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": key,
        "name": [{"family": key, "given": ["Sim"]}],
        "birthDate": "1970-01-01",
    }


def _encounter(key: str, patient: str, time: SimulatedTime) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "id": key,
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": f"Patient/{patient}"},
        "period": {"start": time.now.isoformat()},
    }
