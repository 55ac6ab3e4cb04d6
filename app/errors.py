"""What can go wrong, grouped by what the caller must do next.

CountersignError        code, status, title, what_happened, what_to_do
|- Refused              tell the person; do not retry
|  |- NotFound              no such launch, note or page, or not yours: the two are not told apart
|  |- LaunchEnded           the launch is over; start again from the chart
|  |- NotAllowed            forged or foreign request
|  |- SigningRefused        carries every reason at once
|  `- BadInput              what was sent cannot be used; nothing was changed
|- Conflict             re-read, then decide again
|  |- StreamMoved           someone appended first
|  |- StaleEdit             another tab changed this line
|  `- StaleReview           what was displayed is not what would be signed
|- TryAgain             nothing was changed; the same request may succeed later
|- NeedsSignIn          the clinician's own token has ended; only that clinician can renew it
|  `- AddressChanged        the EHR moved: a person must look before anything goes to the new address
|- Fenced               another worker has taken over; stop without a trace
|- Corrupt              stop this stream and page someone
`- Misconfigured        refuse to start
"""


class CountersignError(Exception):
    """Root of the tree. The texts are shown to people: plain words, no identifiers, no PHI."""

    code = "internal"
    status = 500
    title = "Something went wrong"
    what_to_do: tuple[str, ...] = (
        "Try again.",
        "If it happens again, give your administrator the code below.",
    )

    def __init__(self, what_happened: str, *what_to_do: str) -> None:
        super().__init__(what_happened)
        self.what_happened = what_happened
        if what_to_do:
            self.what_to_do = what_to_do


class Refused(CountersignError):
    """The answer is no, and stays no."""

    code, status, title = "refused", 403, "This cannot be done"


class NotFound(Refused):
    """Nothing here, or nothing of yours."""

    code, status, title = "not_found", 404, "There is nothing here"
    what_to_do = ("Start Countersign again from the patient's chart.",)


class LaunchEnded(Refused):
    """The launch has expired or its browser session is gone."""

    code, status, title = "launch_ended", 401, "This session has ended"
    what_to_do = ("Start Countersign again from the patient's chart. Your draft and edits are kept.",)


class NotAllowed(Refused):
    """The request did not come from our own page."""

    code, status, title = "not_allowed", 403, "This request was refused"
    what_to_do = ("Go back, reload the page and try again.",)


class BadInput(Refused):
    """What was sent cannot be used. Nothing was changed."""

    code, status, title = "bad_input", 400, "That could not be used"


class SigningRefused(Refused):
    """One or more rules forbid signing; `reasons` holds (code, sentence) for each."""

    code, status, title = "signing_refused", 409, "This note cannot be signed yet"

    def __init__(self, reasons: tuple[tuple[str, str], ...]) -> None:
        super().__init__(" ".join(sentence for _, sentence in reasons), "Go back to the draft and settle these points.")
        self.reasons = reasons


class Conflict(CountersignError):
    """The state moved on; read it again and decide again."""

    code, status, title = "conflict", 409, "This changed in the meantime"


class StreamMoved(Conflict):
    """Another writer appended to the stream first."""

    code = "stream_moved"

    def __init__(self, stream: str, expected: int) -> None:
        super().__init__("Someone else changed this at the same moment.", "Reload the page and try again.")
        self.stream, self.expected = stream, expected


class StaleEdit(Conflict):
    """The line was changed elsewhere after it was displayed here."""

    code = "stale_edit"


class StaleReview(Conflict):
    """The hash of what was displayed is not the hash of what would be signed."""

    code, title = "stale_review", "The draft changed after this page was opened"


class TryAgain(CountersignError):
    """Nothing was changed; the same request may succeed later."""

    code, status, title = "try_again", 503, "The chart could not be reached"


class NeedsSignIn(CountersignError):
    """The clinician's own access to the EHR has ended."""

    code, status, title = "needs_sign_in", 401, "Your EHR sign-in has ended"
    what_to_do = ("Start Countersign again from the patient's chart. Nothing is lost.",)


class AddressChanged(NeedsSignIn):
    """The tenant's FHIR base is not the one that the token was granted for, nor the one that the ids belong to."""

    code, title = "address_changed", "The EHR's address has changed"


class Fenced(CountersignError):
    """Another worker holds the lease now; whatever this one learnt is reconciled by the other."""

    code = "fenced"


class Corrupt(CountersignError):
    """Stored data contradicts itself. Nothing may be guessed from it."""

    code, title = "corrupt", "The record contradicts itself"
    what_to_do = ("Nothing was sent. Give your administrator the code below.",)


class Misconfigured(CountersignError):
    """A file or setting is wrong; the message names it and says what to write."""

    code = "misconfigured"
