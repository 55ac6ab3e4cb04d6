"""What can go wrong, grouped by what the caller must do next.

CountersignError        code, status, title, what_happened, what_to_do
|- Refused              tell the person; do not retry
|  |- NotFound              no such launch, note or page, or not yours: the two are not told apart
|  |- LaunchEnded           the launch is over; start again from the chart
|  |- LaunchIdle            nobody used the launch for a while; whoever is there now says so
|  |- NotAllowed            forged or foreign request
|  |- PatientUnconfirmed    the patient has to be confirmed once more before signing
|  |- NotPermitted          the administrator's role does not reach so far
|  |- SignInRefused         an administrator was not let in; says no more than they may know
|  |- SignInEnded           the administrator's session is over; sign in again
|  |- ReadOnly              the workflow may not draft yet; only administrators change that
|  |- SigningRefused        carries every reason at once
|  `- BadInput              what was sent cannot be used; nothing was changed
|- Conflict             re-read, then decide again
|  |- StreamMoved           someone appended first
|  |- StaleEdit             another tab changed this line
|  `- StaleReview           what was displayed is not what would be signed
|- TryAgain             nothing was changed; the same request may succeed later
|  |- TooManyWaiting        more launches of a tenant are under way than are taken at once
|  |- NotRenewed            the EHR was away when the clinician's access was to be renewed
|  `- ClientRefused         the EHR does not accept us; an operator repairs the registration
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


class LaunchIdle(Refused):
    """The launch lay idle for too long to go on without a word from whoever is there now."""

    code, status, title = "launch_idle", 403, "Still there?"
    what_to_do = ("Say that it is still you, in this chart. Nothing was lost.",)


class NotAllowed(Refused):
    """The request did not come from our own page."""

    code, status, title = "not_allowed", 403, "This request was refused"
    what_to_do = ("Go back, reload the page and try again.",)


class NotPermitted(Refused):
    """The administrator is signed in, and their roles do not allow this."""

    code, status, title = "not_permitted", 403, "Your role does not include this"
    what_to_do = ("Ask an IT administrator of Countersign whether you should have it.",)


class SignInRefused(Refused):
    """An administrator was not let in. `reason` is for the log, never for the page."""

    code, status, title = "sign_in_refused", 403, "You were not signed in"
    what_to_do = ("Go back to the sign-in page and try again.",)

    def __init__(self, reason: str, what_happened: str, *what_to_do: str) -> None:
        super().__init__(what_happened, *what_to_do)
        self.reason = reason


class SignInEnded(Refused):
    """The administrator's session has ended; nothing was changed."""

    code, status, title = "sign_in_ended", 401, "You are not signed in any more"
    what_to_do = ("Sign in again. Nothing was changed; what you typed on the last page has to be typed again.",)


class BadInput(Refused):
    """What was sent cannot be used. Nothing was changed."""

    code, status, title = "bad_input", 400, "That could not be used"


class ReadOnly(Refused):
    """The workflow's rollout phase lets charts be opened and nothing be drafted."""

    code, status, title = "read_only", 403, "Countersign does not draft notes here yet"
    what_to_do = ("Write the note in the EHR.", "Ask your administrator when drafting begins.")


class PatientUnconfirmed(Refused):
    """Signing needs the clinician to say once more whose chart this is (conformance A34, E13)."""

    code, status, title = "patient_unconfirmed", 409, "Confirm whose chart this is"


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


class TooManyWaiting(TryAgain):
    """As many launches of this tenant wait for their sign-in as are kept; the oldest expire within minutes."""

    code, title = "too_many_waiting", "Too many sign-ins are under way"
    what_to_do = (
        "Wait a minute, then start Countersign again from the patient's chart.",
        "If it happens again, give your administrator the code below: somebody may be flooding the launch address.",
    )


class NotRenewed(TryAgain):
    """Whether the clinician's access can be renewed is not known yet."""

    code, title = "not_renewed", "The EHR did not renew your access just now"
    what_to_do = ("Nothing was changed. Wait a minute and try again.",)


class ClientRefused(TryAgain):
    """The EHR does not accept our key or secret: no fault of the clinician, and no sign-in repairs it."""

    code, title = "client_refused", "The EHR does not accept Countersign at the moment"
    what_to_do = (
        "Nothing is lost. Try again later.",
        "Give your administrator the code below: the EHR refuses Countersign's own sign-in (invalid_client).",
    )


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
