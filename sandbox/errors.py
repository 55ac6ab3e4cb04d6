"""What keeps the sandbox from starting, and what in one process stands for a broken connection."""

from pathlib import Path


class UnusableFile(Exception):
    """A file named on the command line cannot be read or has another shape."""

    def __init__(self, file: Path, expected: str) -> None:
        super().__init__(f"{file} cannot be used. Expected JSON with {expected}")


class NoAnswer(Exception):
    """In one process there is no connection to cut: whoever called meets this in its place.

    `kind`: "closed" (the connection ended), "reset" (it was reset), "silent" (nothing comes; `seconds` until it would
    have been cut).
    """

    def __init__(self, kind: str, seconds: float = 0) -> None:
        super().__init__(kind)
        self.kind = kind
        self.seconds = seconds
