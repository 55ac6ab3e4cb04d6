"""Why writes are parked, in the words of whoever keeps Countersign running; the clinician's are in `status.py`."""

from collections.abc import Mapping

from app.writebacks.endings import PARKED_FOR

WHY: Mapping[str, str] = {
    "reauth": "The signer's access to the EHR ended first. It goes on when they start Countersign from that chart.",
    "address_changed": "The EHR has another address now than when it was signed. If it is the same EHR, an "
    "administrator says so on the tenant's page; it goes on when its signer starts Countersign from that chart. Where "
    "sign-ins come from another issuer too, nobody can tell that it is the same person: it stays, and is settled by "
    "hand.",
    "switched_off": "Writing is switched off. It goes on by itself when it is switched on.",
    "conflict": "The EHR shows something in the way: two where one should be, or a change by somebody else.",
    "manual": "Too many sends had no clear answer, or our own guard refused the address.",
    "original_not_filed": "What it was to change is not in the chart.",
    "missing": "The EHR said that it took it, and does not show it.",
    "unproven": "The EHR did not confirm it and does not show it, and its search cannot prove that it is not there.",
    "unreadable": "The EHR does not let Countersign look whether it is there.",
}
if WHY.keys() != set(PARKED_FOR):
    raise TypeError("every reason for which a write is parked needs its words for operations")
