"""Passwords of local accounts: argon2id, checked in the same work whether or not the name exists.

Source: OWASP ASVS 5 section 6.2 and 11.4.2; conformance E11. The parameters are the library's, which follow
RFC 9106; when it raises them, a password is hashed again at its owner's next sign-in.
"""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import BadInput

SHORTEST, LONGEST = 12, 200

_hasher = PasswordHasher()


def hashed(password: str) -> str:
    """The argon2id hash to store. Raises `BadInput` when the password is too short or too long to be one."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadInput(
            f"A password has between {SHORTEST} and {LONGEST} characters.",
            "Use a password manager, or several words that do not belong together.",
        )
    return _hasher.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether this is the password behind the hash. Without a hash it takes as long and says no."""
    try:
        return _hasher.verify(stored or _nobodys_hash(), password[: LONGEST + 1]) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Whether the hash was made under weaker parameters than those of today."""
    return _hasher.check_needs_rehash(stored)


@cache
def _nobodys_hash() -> str:
    # Made under today's parameters, so that checking against it costs what checking a real one does.
    return _hasher.hash("a password that opens nothing, because nobody has it")
