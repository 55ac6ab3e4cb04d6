"""One tenant before the doctor: what is registered, what was heard, and what recent launches left."""

from dataclasses import dataclass

from app.onboarding.addresses import Addresses
from app.onboarding.history import History
from app.onboarding.probes import Observed
from app.tenants.registrations import Tenant
from launch.registration import Registration
from vendors.onboarding import SheetValue
from vendors.profile import Profile

PUBLIC_URL_SETTING = "This installation: COUNTERSIGN_PUBLIC_URL"


@dataclass(frozen=True)
class Case:
    """Everything that the checks judge; they ask nobody."""

    tenant: Tenant
    profile: Profile
    registration: Registration
    addresses: Addresses
    observed: Observed
    history: History
    kept_in: str

    def ours(self, field: str) -> str:
        """Where a field of the registration is changed."""
        return f"Registration here: {field} ({self.kept_in})"

    def theirs(self, value: SheetValue) -> str:
        """Where the vendor's console asks for one of our values, by its own name for the field."""
        named = next((entry.field for entry in self.profile.onboarding.entries if entry.value == value), "")
        return f"{self.profile.title}: {named}" if named else f"{self.profile.title}: the app's registration"
