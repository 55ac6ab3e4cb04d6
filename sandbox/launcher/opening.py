"""From a choice to a launch that waits for its app."""

from dataclasses import dataclass
from urllib.parse import urlencode

from sandbox.authorization.launches import Launch, Opened, SignIn, expect_standalone, issue_launch
from sandbox.authorization.sign_in import visit_of
from sandbox.ehr import EHR
from sandbox.launcher.choice import Choice


@dataclass(frozen=True)
class OpenedApp:
    """Where the browser goes. A standalone launch has no launch token: the app itself begins it."""

    url: str
    iss: str
    launch: str | None


def open_app(ehr: EHR, choice: Choice) -> OpenedApp:
    """Issue the launch, with its own faults armed, and say where it begins."""
    opened = _opened(ehr, choice)
    ehr.faults.arm_for(opened.family, choice.faults)
    if choice.type == "standalone":
        expect_standalone(ehr.database, choice.client.client_id, opened)
        return OpenedApp(_with(choice.client.standalone_url, iss=ehr.fhir_base), ehr.fhir_base, None)
    token = issue_launch(ehr.database, opened)
    return OpenedApp(_with(choice.client.launch_url, iss=ehr.fhir_base, launch=token), ehr.fhir_base, token)


def _opened(ehr: EHR, choice: Choice) -> Opened:
    if len(choice.patients) == 1:
        patient = choice.patients[0]
        launch = Launch(choice.user, patient, visit_of(ehr, patient, choice.encounter))
        return Opened(launch, SignIn(choice.login, choice.approval))
    to_choose = choice.patients or tuple(patient["id"] for patient in ehr.store.current("Patient"))
    sign_in = SignIn(choice.login, choice.approval, to_choose, choice.encounter)
    return Opened(Launch(choice.user, None, None), sign_in)


def _with(launch_url: str, **parameters: str) -> str:
    return f"{launch_url}{'&' if '?' in launch_url else '?'}{urlencode(parameters)}"
