"""Whether two texts say the same, in whatever white space, typography or rendering they stand. Pure."""

import re
import unicodedata

from vendors.renderings import shown_text

# The same sign in another typography; numbers, letters and anything that could be one stay as they are.
SAME_SIGNS = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u02bc", "'"),
        **dict.fromkeys("\u201c\u201d\u201f", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\u2022\u25aa", "-"),
        **dict.fromkeys("\ufeff\u00ad\u200b", ""),  # byte order mark, places where a word may be broken
    }
)
# A line may be broken after a hyphen inside a word: what follows belongs to it.
AFTER_HYPHEN = re.compile(r"(?<=\S)-\s+")


def same_words(signed: str, stored: str) -> bool:
    """Whether the stored text, or what its HTML or RTF shows, has the words of the signed one in their order."""
    words = _words(signed)
    if words == _words(stored):
        return True
    shown = shown_text(stored)
    return shown is not None and words == _words(shown)


def _words(text: str) -> list[str]:
    return AFTER_HYPHEN.sub("-", unicodedata.normalize("NFC", text).translate(SAME_SIGNS)).split()
