"""Chance, taken from the seed: what is due at the same moment is taken in the order of its random identifiers.

With these drawn anew each time, a history that failed once would be another one when it is played again.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random


@contextmanager
def repeatable(name: str) -> Iterator[None]:
    """While this lasts, identifiers and tokens of this process are drawn from the name of a history."""
    real = secrets.token_bytes
    dice = Random(name)  # noqa: S311 - a simulation must be repeatable, not unguessable

    def drawn(nbytes: int | None = None) -> bytes:
        return dice.randbytes(secrets.DEFAULT_ENTROPY if nbytes is None else nbytes)

    secrets.token_bytes = drawn
    try:
        yield
    finally:
        secrets.token_bytes = real
