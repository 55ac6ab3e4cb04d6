"""What keeps the sandbox from starting."""

from pathlib import Path


class UnusableFile(Exception):
    """A file named on the command line cannot be read or has another shape."""

    def __init__(self, file: Path, expected: str) -> None:
        super().__init__(f"{file} cannot be used. Expected JSON with {expected}")
