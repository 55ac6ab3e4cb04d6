"""What can go wrong in a history, and at which moment: one total table. Pure.

A fault strikes at the nth moment of its kind: the nth write to the EHR, the nth commit, the nth point at which a
process may die. So a history is data, plays the same each time, and stays a history when parts of it are left out.

Sources: conformance B23 and F01 to F50.
"""

from dataclasses import dataclass
from enum import StrEnum


class Moment(StrEnum):
    """When a fault can strike."""

    WRITE = "write"  # a create, update or patch reaches the EHR
    ASK = "ask"  # a read or a search
    TOKEN = "token"  # noqa: S105 - the authorization server is asked
    BEGIN = "begin"  # a transaction begins
    COMMIT = "commit"  # a transaction commits
    STEP = "step"  # any point at which a process waits for another: begin, commit, exchange, before and after
    RING = "ring"  # the doorbell is rung
    TELL = "tell"  # the EHR tells of what changed in its charts


@dataclass(frozen=True)
class Kind:
    """One kind of fault: when it can strike, what it is in words, and how long it lasts where that matters."""

    moment: Moment
    words: str
    seconds: tuple[float, float] = (0, 0)
    weight: int = 1


# Longer than a worker's lease (120 s), so that another one takes over meanwhile.
BEYOND_THE_LEASE = (130, 900)
# What the client of an HTTP exchange, or the network between, can do; nothing here is the EHR's doing.
ON_THE_WIRE: dict[str, Kind] = {
    "not_connected": Kind(Moment.WRITE, "no connection; nothing left"),
    "request_lost": Kind(Moment.WRITE, "the request left and never arrived"),
    "reply_lost": Kind(Moment.WRITE, "done, and the answer lost", weight=4),
    "unmarked_reply_lost": Kind(Moment.WRITE, "done without its identifier, and the answer lost", weight=2),
    "unrecognisable_reply_lost": Kind(
        Moment.WRITE, "done without its identifier and in other words, and the answer lost", weight=2
    ),
    "accepted_then_filed": Kind(Moment.WRITE, "202, and done later", (1, 3000), weight=2),
    "executed_late": Kind(Moment.WRITE, "timed out, and done later", (1, 280), weight=4),
    "answer_too_slow": Kind(Moment.ASK, "the answer to a question did not come in time"),
    "not_reachable": Kind(Moment.ASK, "the EHR could not be reached for a question"),
    "renewal_lost": Kind(Moment.TOKEN, "the token endpoint did it, and its answer was lost"),
    "renewal_away": Kind(Moment.TOKEN, "the token endpoint could not be reached"),
}
# What the simulated EHR does by its own knobs (`sandbox/qa`), for the one request that it strikes.
BY_THE_EHR: dict[str, Kind] = {
    "answer_500": Kind(Moment.WRITE, "nothing done, 500"),
    "commit_then_500": Kind(Moment.WRITE, "done, 500", weight=3),
    "answer_502": Kind(Moment.WRITE, "nothing done, 502"),
    "answer_504": Kind(Moment.WRITE, "nothing done, 504"),
    "commit_then_drop": Kind(Moment.WRITE, "done, connection dropped", weight=2),
    "drop_connection": Kind(Moment.WRITE, "nothing done, connection dropped"),
    "answer_503_date": Kind(Moment.WRITE, "503 with Retry-After as a date", (1, 600)),
    "answer_429": Kind(Moment.WRITE, "429 with Retry-After", (1, 600)),
    "answer_400": Kind(Moment.WRITE, "400"),
    "answer_401": Kind(Moment.WRITE, "401"),
    "answer_403": Kind(Moment.WRITE, "403"),
    "answer_409": Kind(Moment.WRITE, "409"),
    "answer_412": Kind(Moment.WRITE, "412"),
    "answer_422": Kind(Moment.WRITE, "422"),
    "answer_423": Kind(Moment.WRITE, "423, chart locked"),
    "answer_202": Kind(Moment.WRITE, "nothing done, 202"),
    "commit_then_202": Kind(Moment.WRITE, "done, 202", weight=2),
    "answer_307": Kind(Moment.WRITE, "redirected"),
    "answer_html": Kind(Moment.WRITE, "502 with an HTML page"),
    "answer_html_as_success": Kind(Moment.WRITE, "nothing done, 200 with an HTML page"),
    "answer_empty": Kind(Moment.WRITE, "nothing done, 200 and empty"),
    "commit_without_location": Kind(Moment.WRITE, "done, without Location, ETag or body", weight=2),
    "commit_then_garbled": Kind(Moment.WRITE, "done, half a JSON document"),
    "search_lag": Kind(Moment.WRITE, "searches see it later", (1, 25), weight=2),
    "drop_label": Kind(Moment.WRITE, "stored without its label"),
    "drop_identifier": Kind(Moment.WRITE, "stored without its identifier"),
    "drop_author": Kind(Moment.WRITE, "stored without its author"),
    "rewrite_text": Kind(Moment.WRITE, "stored with another text"),
    "replaces_ignored": Kind(Moment.WRITE, "what it replaces stays current"),
    "condition_ignored": Kind(Moment.WRITE, "If-None-Exist ignored"),
    "condition_racy": Kind(Moment.WRITE, "If-None-Exist looked up, and done later without another look", (1, 20)),
    "ask_500": Kind(Moment.ASK, "500 to a question"),
    "ask_429": Kind(Moment.ASK, "429 to a question", (1, 300)),
    "ask_401": Kind(Moment.ASK, "401 to a question"),
    "ask_garbled": Kind(Moment.ASK, "half a JSON document to a question"),
    "token_answer_500": Kind(Moment.TOKEN, "500 from the token endpoint"),
}
# How an EHR's notices of changes go wrong, by its own knobs; the forged ones are refused.
OF_NOTICES: dict[str, Kind] = {
    "callback_twice": Kind(Moment.TELL, "each notice came twice", weight=2),
    "callback_reordered": Kind(Moment.TELL, "notices overtook each other", weight=2),
    "callback_replayed": Kind(Moment.TELL, "all notices came once more"),
    "callback_skewed": Kind(Moment.TELL, "notices dated by another clock", (1, 200)),
    "callback_lost": Kind(Moment.TELL, "the notices were lost"),
    "callback_bad_signature": Kind(Moment.TELL, "notices signed by a stranger"),
    "callback_unsigned": Kind(Moment.TELL, "notices without a signature"),
    "callback_garbled": Kind(Moment.TELL, "half a notice"),
}
FORGED = frozenset({"callback_bad_signature", "callback_unsigned", "callback_garbled"})
# What happens to our own processes and servers.
BY_US: dict[str, Kind] = {
    "killed": Kind(Moment.STEP, "the process died", weight=14),
    "paused": Kind(Moment.STEP, "the process stood still beyond its lease", BEYOND_THE_LEASE, weight=8),
    "begin_failed": Kind(Moment.BEGIN, "the database was away", weight=2),
    "commit_failed": Kind(Moment.COMMIT, "the database went away before the commit", weight=2),
    "commit_unanswered": Kind(Moment.COMMIT, "committed, and the answer lost", weight=4),
    "bell_lost": Kind(Moment.RING, "Redis lost the ring", weight=2),
    "bell_doubled": Kind(Moment.RING, "the ring was heard twice"),
}
KINDS: dict[str, Kind] = {**ON_THE_WIRE, **BY_THE_EHR, **OF_NOTICES, **BY_US}


@dataclass(frozen=True)
class Fault:
    """One fault of a history: it strikes at the `at`th moment of its kind (from 0), for `seconds` where it lasts."""

    kind: str
    at: int
    seconds: float = 0

    @property
    def moment(self) -> Moment:
        """When it strikes."""
        return KINDS[self.kind].moment

    def __str__(self) -> str:
        lasts = f" for {self.seconds:.0f} s" if self.seconds else ""
        return f"at {self.moment} {self.at}: {self.kind}{lasts}"
