"""A launch as a QA person chooses it: everything is in the address, so that it can be kept and passed on."""

import json
from dataclasses import dataclass
from typing import Literal, Self, cast

from pydantic import ValidationError
from werkzeug.datastructures import MultiDict

from sandbox.authorization.clients import Client
from sandbox.authorization.launches import AUTOMATIC, NONE
from sandbox.ehr import EHR
from sandbox.people.display import clinician_names
from sandbox.qa.faults import Fault
from sandbox.qa.knobs import NoSuchKnob, usable

PKCE = {"auto": "pkce_auto", "none": "pkce_none"}


class UnusableChoice(ValueError):
    """The address names something that this EHR does not have."""


@dataclass(frozen=True)
class Choice:
    """One launch, not yet opened."""

    client: Client
    user: str
    patients: tuple[str, ...]
    encounter: str
    type: Literal["ehr", "standalone"]
    window: Literal["frame", "new"]
    login: bool
    approval: bool
    pkce: str
    # As the address spells them, and what they mean.
    spelled_faults: tuple[str, ...]
    faults: tuple[Fault, ...]

    @classmethod
    def from_address(cls, ehr: EHR, query: MultiDict[str, str]) -> Self:
        """Read and check the address. Raises UnusableChoice in words for the person who typed it."""
        spelled = tuple(text for text in query.getlist("fault") if text)
        pkce = _one_of(query, "pkce", ("always", *PKCE))
        faults = [_fault(text) for text in spelled] + ([_fault(PKCE[pkce])] if pkce in PKCE else [])
        return cls(
            client=_client(ehr, query.get("client", "")),
            user=_user(ehr, query.get("user", "")),
            patients=_patients(ehr, [text for text in query.getlist("patient") if text]),
            encounter=_encounter(ehr, query.get("encounter") or AUTOMATIC),
            type=cast(Literal["ehr", "standalone"], _one_of(query, "type", ("ehr", "standalone"))),
            window=cast(Literal["frame", "new"], _one_of(query, "window", ("new", "frame"))),
            login=_one_of(query, "login", ("skip", "show")) == "show",
            approval=_one_of(query, "approval", ("skip", "show")) == "show",
            pkce=pkce,
            spelled_faults=spelled,
            faults=tuple(faults),
        )


def _one_of(query: MultiDict[str, str], name: str, possible: tuple[str, ...]) -> str:
    value = query.get(name) or possible[0]
    if value not in possible:
        raise UnusableChoice(f"{name} is one of {', '.join(possible)}, not {value}.")
    return value


def _client(ehr: EHR, client_id: str) -> Client:
    client = ehr.clients.get(client_id) if client_id else next(iter(ehr.clients), None)
    if client is None:
        raise UnusableChoice(f"No app {client_id} is registered here." if client_id else "No app is registered here.")
    return client


def _user(ehr: EHR, user: str) -> str:
    known = clinician_names(ehr.store)
    if user and user not in known:
        raise UnusableChoice(f"Nobody here has the id {user}.")
    return user or next(iter(known))


def _patients(ehr: EHR, patients: list[str]) -> tuple[str, ...]:
    missing = [patient for patient in patients if ehr.store.read("Patient", patient) is None]
    if missing:
        raise UnusableChoice(f"No patient here has the id {', '.join(missing)}.")
    return tuple(patients)


def _encounter(ehr: EHR, encounter: str) -> str:
    if encounter not in (AUTOMATIC, NONE) and ehr.store.read("Encounter", encounter) is None:
        raise UnusableChoice(f"No visit here has the id {encounter}.")
    return encounter


def _fault(text: str) -> Fault:
    """`knob`, `knob@interaction`, or the document that the QA API takes."""
    try:
        if text.startswith("{"):
            fault = Fault.model_validate(json.loads(text))
        else:
            name, _, interaction = text.partition("@")
            fault = Fault(fault=name, interaction=interaction, times=None)
        return usable(fault, for_one_launch=True)
    except NoSuchKnob as error:
        raise UnusableChoice(f"{error}.") from error
    except (ValidationError, ValueError) as error:
        raise UnusableChoice(f"This is not a fault: {text}") from error
