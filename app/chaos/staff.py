"""What people at a simulated EHR do to its charts, behind everybody's back, and what they did it to."""

from sandbox.ehr import EHR
from sandbox.qa.edits import Edit, UnusableEdit, back_up, carry_out


class Staff:
    """The people of one EHR in one history."""

    def __init__(self, ehr: EHR) -> None:
        self._ehr = ehr
        self._mark = 0
        # `DocumentReference/88`: what a person changed, removed or lost; and what one brought back.
        self.touched: set[str] = set()
        self.brought_back: set[str] = set()

    def begin(self) -> None:
        """A new history: what was done before is of no interest any more."""
        self.touched.clear()
        self.brought_back.clear()
        self.back_up()

    def edit(self, place: str, action: str) -> bool:
        """Do this to one resource; false where nobody can."""
        try:
            carry_out(self._ehr, Edit(action=action, resource=place))
        except UnusableEdit:
            return False
        self.touched.add(place)
        return True

    def bring_back(self, place: str) -> bool:
        """Undo its deletion; false where there was none."""
        resource_type, _, resource_id = place.partition("/")
        if not self._ehr.store.was_deleted(resource_type, resource_id) or not self.edit(place, "restore"):
            return False
        self.brought_back.add(place)
        return True

    def merge(self, patient: str, into: str) -> None:
        """Merge a patient into another one, once."""
        found = self._ehr.store.read("Patient", patient)
        if found and found.get("active", True):
            moved = carry_out(self._ehr, Edit(action="merge_patient", resource=f"Patient/{patient}", into=into))
            self.touched |= {place.partition("/_history/")[0] for place in moved}

    def back_up(self) -> None:
        """Copy the store."""
        self._mark = back_up(self._ehr)

    def go_back(self) -> None:
        """Restore the store from the last copy: what came later is lost, as if it had never been."""
        kinds = self._ehr.personality.fhir.resources
        lost = self._ehr.store.versions_after(self._mark, list(kinds))
        self.touched |= {f"{kind}/{version.resource['id']}" for _, kind, version in lost}
        carry_out(self._ehr, Edit(action="restore_backup", mark=self._mark))
