"""How an EHR can rewrite the text of a note: harmlessly, as real ones do, or so that it means something else."""

import base64
import html
import re
import textwrap
import unicodedata
from collections.abc import Callable
from typing import Any

Content = tuple[bytes, str]
"""The new content and its type."""

PLAIN = "text/plain; charset=utf-8"
WRAPPED_AT = 40
NEGATION = re.compile(r"\b(no|not|denies|without|never)\s+", re.IGNORECASE)


def rewritten(resource: dict[str, Any], rewrite: Callable[[str], Content]) -> None:
    """Rewrite every inline text of a document; anything else is left alone."""
    for content in resource.get("content", []):
        attachment = content["attachment"]
        if "data" in attachment:
            data, content_type = rewrite(base64.b64decode(attachment["data"]).decode("utf-8", "replace"))
            attachment |= {"data": base64.b64encode(data).decode(), "contentType": content_type, "size": len(data)}
            attachment.pop("hash", None)


def _plain(change: Callable[[str], str]) -> Callable[[str], Content]:
    return lambda text: (change(text).encode(), PLAIN)


def _spaced(text: str) -> str:
    return "\n\n" + text.replace(" ", "  ").replace("\n", " \t\n") + "\n\n"


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.fill(line, WRAPPED_AT) for line in text.splitlines())


def _rtf(text: str) -> Content:
    escaped = "".join(_rtf_letter(letter) for letter in text)
    return f"{{\\rtf1\\ansi\\deff0{{\\fonttbl{{\\f0 Arial;}}}}\\f0\\fs20 {escaped}}}".encode(), "text/rtf"


def _rtf_letter(letter: str) -> str:
    if letter == "\n":
        return "\\par\n"
    if letter in "\\{}":
        return f"\\{letter}"
    return letter if letter.isascii() else "".join(f"\\u{unit}?" for unit in _signed_units(letter))


def _signed_units(letter: str) -> list[int]:
    # RTF writes UTF-16 units as signed 16-bit numbers.
    raw = letter.encode("utf-16-le")
    return [int.from_bytes(raw[at : at + 2], "little", signed=True) for at in range(0, len(raw), 2)]


def _html(text: str) -> Content:
    lines = "".join(f"<p>{html.escape(line)}</p>\n" if line else "<br/>\n" for line in text.splitlines())
    return f"<html><body><div>\n{lines}</div></body></html>".encode(), "text/html; charset=utf-8"


def _another_number(text: str) -> str:
    return re.sub(r"\d", lambda found: str((int(found[0]) + 1) % 10), text, count=1) if re.search(r"\d", text) else ""


REWRITES: dict[str, tuple[Callable[[str], Content], str]] = {
    "text_spaced": (_plain(_spaced), "Stores the text with other white space"),
    "text_crlf": (_plain(lambda text: text.replace("\n", "\r\n")), "Stores the text with CRLF at line ends"),
    "text_wrapped": (_plain(_wrapped), "Stores the text wrapped to 40 columns"),
    "text_nfd": (_plain(lambda text: unicodedata.normalize("NFD", text)), "Stores accents apart from letters (NFD)"),
    "text_utf16": (lambda text: (text.encode("utf-16"), "text/plain; charset=utf-16"), "Stores the text as UTF-16"),
    "text_rtf": (_rtf, "Stores the same text as RTF"),
    "text_html": (_html, "Stores the same text as HTML"),
    "text_number_changed": (_plain(_another_number), "Stores the text with another first digit (none: no text)"),
    "text_negation_lost": (
        _plain(lambda text: NEGATION.sub("", text, count=1)),
        "Stores the text without its first negation",
    ),
    "text_truncated": (_plain(lambda text: text[: len(text) // 2]), "Stores half of the text"),
    "rewrite_text": (_plain(lambda _text: "This is not what was sent."), "Stores another text"),
}
