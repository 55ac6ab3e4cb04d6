"""What each event of the log is called where administrators read it."""

from app.event_log.event import CATALOGUE
from app.pages.record import WORDS as OF_NOTES

WORDS = OF_NOTES | {
    "tenant:registered": "registered this tenant",
    "tenant:changed": "changed the registration",
    "tenant:moved": "said that this EHR's new address leads to the same EHR",
    "tenant:retired": "retired this tenant",
    "tenant:key:made": "made a signing key",
    "tenant:key:retired": "gave a signing key its end",
    "tenant:switch:turned": "turned a switch",
    "tenant:phase:changed": "changed how far a workflow may go",
    "tenant:secret:kept": "entered a secret",
    "tenant:identifier:lost": "found that the EHR drops our identifier",
    "tenant:later:accepted": "found that the EHR accepts writes to file them later",
    "tenant:write:woken": "had a write go on that an error of Countersign had stopped",
    "admin:created": "made an account",
    "admin:signed:in": "signed in",
    "admin:sign:in:failed": "was not let in",
    "admin:signed:out": "signed out",
    "admin:disabled": "disabled an account",
    "admin:roles:changed": "changed an account's roles",
}
if missing := CATALOGUE.keys() - WORDS.keys():
    raise TypeError(f"these events have no words for the audit page: {sorted(missing)}")
