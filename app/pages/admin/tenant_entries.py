"""The fields of a registration as a form asks for them, in the order in which people know the answers.

Every field of a registration is here, or named as one that the form asks for in another way.
"""

from dataclasses import dataclass
from typing import Literal

from app.tenants.registration_words import every_field

Control = Literal["line", "lines", "pairs", "choice", "tick", "number"]


@dataclass(frozen=True)
class Entry:
    """One field: how it is entered and what an administrator should know about it."""

    name: str
    label: str
    control: Control
    words: str
    choices: tuple[tuple[str, str], ...] = ()
    required: bool = False


@dataclass(frozen=True)
class Part:
    """Fields that belong together; folded ones are seldom needed."""

    title: str
    words: str
    entries: tuple[Entry, ...]
    folded: bool = False


PARTS = (
    Part(
        "The organisation",
        "Who this is for. Clinicians see the name; the id is in addresses and never changes.",
        (
            Entry(
                "id",
                "Tenant id",
                "line",
                "Lower-case letters, digits and hyphens, such as harbor-epic. It never changes.",
                required=True,
            ),
            Entry("organization", "Organisation", "line", "As its clinicians call it.", required=True),
            Entry(
                "timezone", "Time zone", "line", "In which its clinicians read their clocks, such as America/Chicago."
            ),
            Entry(
                "contacts", "Contacts", "lines", "Who is told when something needs a person. One e-mail address a line."
            ),
        ),
    ),
    Part(
        "The EHR",
        "From the vendor's console or the EHR's own administrators.",
        (
            Entry(
                "vendor",
                "Product",
                "choice",
                "Which EHR this is. It decides what may be asked for and written.",
                required=True,
            ),
            Entry(
                "environment",
                "Environment",
                "choice",
                "Only a sandbox may use plain HTTP; only production holds patients.",
                (("sandbox", "Sandbox"), ("nonproduction", "Non-production"), ("production", "Production")),
                required=True,
            ),
            Entry(
                "fhir_base",
                "FHIR base URL",
                "line",
                "What launches carry as iss, letter for letter, also the slash at its end.",
                required=True,
            ),
            Entry("client_id", "Client id", "line", "Which the EHR gave this registration.", required=True),
            Entry(
                "frame_origins",
                "Pages that may frame us",
                "lines",
                "The origins of the EHR's own pages. One a line; none: it opens us in a window.",
            ),
        ),
    ),
    Part(
        "How we prove who we are",
        "To the EHR's token endpoint. A key of our own is safer than a shared secret: take it wherever the EHR does.",
        (
            Entry(
                "authentication.method",
                "Method",
                "choice",
                "private_key_jwt: the EHR reads our public key from an address.",
                (
                    ("private_key_jwt", "Our own key (private_key_jwt)"),
                    ("client_secret_basic", "A shared secret (client_secret_basic)"),
                    ("public", "None, in a sandbox (public)"),
                ),
                required=True,
            ),
            Entry(
                "authentication.algorithm",
                "Signing algorithm",
                "choice",
                "Of our key.",
                (("ES384", "ES384"), ("RS384", "RS384")),
            ),
            Entry(
                "authentication.secret",
                "Reference to the secret",
                "line",
                "Only for a shared secret, and never the secret itself. sealed:main, or file:/path in its own folder.",
            ),
            Entry(
                "authentication.audience",
                "Audience of the assertion",
                "choice",
                "Some EHRs want their issuer there.",
                (("token_endpoint", "Token endpoint"), ("issuer", "Issuer")),
            ),
        ),
    ),
    Part(
        "Notes",
        "How this organisation files its notes.",
        (
            Entry("note.type_code", "Type of note", "line", "LOINC code, such as 11506-3."),
            Entry("note.type_display", "Name of that type", "line", "As the EHR shows it."),
            Entry(
                "note.file_as",
                "File as",
                "choice",
                "Preliminary notes are signed in the EHR once more.",
                (("final", "Final"), ("preliminary", "Preliminary")),
            ),
            Entry("note.ai_label", "Say that AI assisted", "tick", "A line at the end of the note."),
            Entry("encounter_required", "A visit is required", "tick", "A launch without a visit is refused."),
            Entry(
                "reconfirm_always",
                "Confirm the patient at each signature",
                "tick",
                "A box on the sign page names the patient.",
            ),
            Entry(
                "transcript_type",
                "Type of transcripts",
                "line",
                "By which transcripts are found in the chart, as system|code.",
            ),
        ),
        folded=True,
    ),
    Part(
        "Seldom needed",
        "Leave these alone unless the launch doctor or the vendor's documents say otherwise.",
        (
            Entry(
                "endpoint_origins",
                "More origins of this EHR",
                "lines",
                "Where its sign-in or tokens are on another host than FHIR.",
            ),
            Entry(
                "sign_in",
                "Where its sign-in opens",
                "choice",
                "Some EHRs refuse to be framed there.",
                (
                    ("", "As the vendor's profile says"),
                    ("in_frame", "In the frame"),
                    ("top_window", "In a window of its own"),
                ),
            ),
            Entry(
                "background_access",
                "Refresh tokens",
                "choice",
                "Lets a signed note be filed after the clinician has left.",
                (("offline", "Ask for offline access"), ("online", "Ask for online access"), ("none", "Do not ask")),
            ),
            Entry(
                "expected_context",
                "Expected context",
                "pairs",
                "Where one EHR serves several organisations under one address: name=value of the token response.",
            ),
            Entry(
                "oauth_issuer",
                "Issuer of id_tokens",
                "line",
                "Only where it differs from what the EHR's configuration says.",
            ),
            Entry(
                "nonce_may_be_missing",
                "Its id_tokens may lack a nonce",
                "tick",
                "Only for an EHR that is known not to echo it.",
            ),
            Entry(
                "concurrency",
                "Writes at once",
                "number",
                "How many may be under way to this EHR at the same time, 1 to 32. Empty: 8.",
            ),
            Entry(
                "reading.client_id",
                "Client id for reading",
                "line",
                "A second registration at the EHR that may only read: looks at what was filed, and never writes.",
            ),
            Entry(
                "callbacks.secret",
                "Reference to the notices' secret",
                "line",
                "Where the EHR tells Countersign of changes. sealed:notices, or file:/path in its own folder.",
            ),
            Entry("style_hosts", "Hosts of its style sheets", "lines", "From which smart_style_url is read."),
        ),
        folded=True,
    ),
)
WORKFLOW = (
    Entry("id", "Id", "line", "Lower-case letters, digits and hyphens. It can never be changed."),
    Entry("title", "Title", "line", "As clinicians call it."),
    Entry("queue", "Queue", "line", "Empty: the queue that all share."),
    Entry(
        "matches",
        "Its visits",
        "lines",
        "One rule a line, such as service_type=http://snomed.info/sct|394579002. Empty: visits that no other takes, if "
        "it is the first.",
    ),
)
# Parts of a registration that are there only where something was entered for them.
OPTIONAL = ("reading", "callbacks")
ENTRIES = {entry.name: entry for part in PARTS for entry in part.entries}
# A workflow's phase is an act of its own, on the tenant's page; template and ruleset have one value each.
ELSEWHERE = {name for name in every_field() if name.startswith("workflows")} | {"authentication", "note", *OPTIONAL}
if missing := every_field() ^ (ENTRIES.keys() | ELSEWHERE):
    raise TypeError(f"these fields of a registration have no place in the form: {sorted(missing)}")
