"""The text that an HTML or RTF rendering shows. Pure, and cautious: what could hide or strike out words is not read.

An EHR may keep a plain note in its own format. Where such a rendering shows the very words that were signed, nothing
has changed; where it holds anything that may change what a reader sees, nobody here can say so, and a human looks.
HTML Living Standard; RTF Specification 1.9.1.
"""

import re
from html.parser import HTMLParser

from typing_extensions import override

# fmt: off
BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3", "h4", "h5",
    "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section", "table", "tbody", "td", "tfoot", "th", "thead",
    "tr", "ul",
))
INLINE = frozenset((
    "a", "abbr", "b", "bdi", "big", "body", "cite", "code", "em", "font", "html", "i", "kbd", "mark", "samp", "small",
    "span", "strong", "u",
))
# What stands in the head is not shown; a style sheet there could hide words, so it is not among them.
NOT_SHOWN = frozenset(("head", "title"))
EMPTY = frozenset(("br", "hr", "meta", "link"))
# An attribute or a style that is not listed might hide, strike out or replace what the element holds.
ATTRIBUTES = frozenset((
    "align", "border", "cellpadding", "cellspacing", "charset", "colspan", "content", "dir", "face", "href",
    "http-equiv", "id", "lang", "name", "rel", "rowspan", "size", "start", "title", "type", "valign", "width", "xmlns",
))
STYLES = re.compile(r"font-(family|weight|style)|margin[a-z-]*|padding[a-z-]*|text-align|white-space|line-height")
MARKUP = re.compile(r"\s*<(!doctype|html|head|body|div|p|pre|span|h[1-6]|ul|ol|table|br|b|i|font)\b[^>]*>", re.I)

RTF_TOKEN = re.compile(r"\\'([0-9a-fA-F]{2})|\\([a-zA-Z]+)(-?\d{1,10})? ?|\\([^a-zA-Z'])|([{}])|[\r\n]+|([^\\{}\r\n]+)")
RTF_WORDS = {"par": "\n", "line": "\n", "sect": "\n", "page": "\n", "row": "\n", "tab": "\t", "cell": "\t"}
RTF_SIGNS = {
    "bullet": "\u2022", "endash": "\u2013", "emdash": "\u2014",
    "lquote": "\u2018", "rquote": "\u2019", "ldblquote": "\u201c", "rdblquote": "\u201d",
}
RTF_SYMBOLS = {"~": "\u00a0", "_": "-", "-": "", "\n": "\n", "\r": "\n", "\\": "\\", "{": "{", "}": "}"}
# Groups that hold no text of the document.
RTF_ASIDE = frozenset((
    "fonttbl", "colortbl", "stylesheet", "info", "generator", "listtable", "listoverridetable", "rsidtbl", "themedata",
))
# Words that hide, strike out, raise or bring in what is not in the text itself.
RTF_UNREADABLE = frozenset((
    "bin", "deleted", "dn", "field", "footer", "footerl", "footerr", "footnote", "header", "headerl", "headerr",
    "object", "pict", "revised", "shp", "strike", "striked", "sub", "super", "up", "v", "webhidden",
))
# fmt: on


def shown_text(stored: str) -> str | None:
    """The text that a stored rendering shows; None where it is none, or where it cannot be read with certainty."""
    if stored.lstrip("\ufeff \t\r\n").startswith("{\\rtf"):
        return _rtf(stored.lstrip("\ufeff \t\r\n"))
    return _html(stored) if MARKUP.match(stored.lstrip("\ufeff")) else None


def _html(stored: str) -> str | None:
    reader = _Shown()
    try:
        reader.feed(stored.lstrip("\ufeff"))
        reader.close()
    except _Doubtful:
        return None
    return "".join(reader.parts)


class _Doubtful(Exception):
    """Something that may change what a reader sees."""


class _Shown(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._aside: list[str] = []
        self._lists: list[int | None] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if any(not _is_plain(name, value or "") for name, value in attrs):
            raise _Doubtful
        if tag in NOT_SHOWN:
            self._aside.append(tag)
        elif tag in BLOCKS:
            self.parts.append("\n")
            self._mark(tag, dict(attrs))
        elif tag not in INLINE | EMPTY:
            raise _Doubtful

    @override
    def handle_endtag(self, tag: str) -> None:
        if self._aside and tag == self._aside[-1]:
            self._aside.pop()
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        if tag in BLOCKS:
            self.parts.append("\n")

    @override
    def handle_data(self, data: str) -> None:
        if not self._aside:
            self.parts.append(data)

    @override
    def unknown_decl(self, data: str) -> None:
        raise _Doubtful

    def _mark(self, tag: str, attributes: dict[str, str | None]) -> None:
        """A list shows a sign before each item: the dot as a hyphen, as our notes write it, or the number."""
        if tag == "ul":
            self._lists.append(None)
        elif tag == "ol":
            start = attributes.get("start") or "1"
            self._lists.append(int(start) if start.isdecimal() else 1)
        elif tag == "li" and self._lists:
            number = self._lists[-1]
            self.parts.append("- " if number is None else f"{number}. ")
            self._lists[-1] = None if number is None else number + 1


def _is_plain(name: str, value: str) -> bool:
    if name != "style":
        return name in ATTRIBUTES
    declared = [one.partition(":")[0].strip().lower() for one in value.split(";") if one.strip()]
    return all(STYLES.fullmatch(one) for one in declared)


def _rtf(stored: str) -> str | None:
    reader = _RichText()
    at = 0
    while found := RTF_TOKEN.match(stored, at):
        at = found.end()
        try:
            reader.take(found)
        except (_Doubtful, LookupError, ValueError):
            return None
    is_whole = at == len(stored.rstrip("\0")) and reader.depth == 0
    return "".join(reader.parts) if is_whole else None


class _RichText:
    """What the groups of an RTF document show, token by token."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.depth = 0
        self._codepage = "cp1252"
        self._aside_from = 0  # the depth of the group whose content is not shown; 0 for none
        self._after_unicode = 1
        self._to_skip = 0
        self._high: int | None = None
        self._opens = False

    def take(self, token: re.Match[str]) -> None:
        """Read one token. Raises `_Doubtful` for what may change what a reader sees."""
        byte, word, number, symbol, brace, text = token.groups()
        opens, self._opens = self._opens, False
        if brace:
            self._brace(brace)
        elif symbol == "*":
            if opens:
                self._aside()
        elif word:
            self._word(word, int(number) if number else None, opens=opens)
        elif byte:
            self._show(bytes.fromhex(byte).decode(self._codepage), units=1)
        elif symbol:
            self._show(RTF_SYMBOLS.get(symbol, ""), units=1)
        elif text:
            skipped, self._to_skip = min(self._to_skip, len(text)), max(self._to_skip - len(text), 0)
            self._show(text[skipped:], units=0)

    def _brace(self, brace: str) -> None:
        self._to_skip = 0
        if brace == "{":
            self.depth += 1
            self._opens = True
            return
        if self.depth == self._aside_from:
            self._aside_from = 0
        self.depth -= 1
        if self.depth < 0:
            raise _Doubtful

    def _word(self, word: str, number: int | None, *, opens: bool) -> None:
        if self._aside_from:
            return
        if opens and word in RTF_ASIDE:
            self._aside()
        elif word in RTF_UNREADABLE and number != 0:
            raise _Doubtful
        elif word == "ansicpg":
            self._codepage = f"cp{number}"
        elif word == "uc":
            self._after_unicode = number or 0
        elif word == "u":
            self._unicode((number or 0) & 0xFFFF)
        else:
            self._show(RTF_WORDS.get(word, RTF_SIGNS.get(word, "")), units=0)

    def _unicode(self, unit: int) -> None:
        """One UTF-16 unit; letters beyond the first plane come as two, each with its own substitute."""
        self._to_skip = 0
        if 0xD800 <= unit < 0xDC00:
            self._high = unit
        elif 0xDC00 <= unit < 0xE000:
            if self._high is None:
                raise _Doubtful
            self._show(chr(0x10000 + ((self._high - 0xD800) << 10) + unit - 0xDC00), units=0)
            self._high = None
        else:
            self._show(chr(unit), units=0)
        self._to_skip = self._after_unicode

    def _aside(self) -> None:
        if not self._aside_from:
            self._aside_from = self.depth

    def _show(self, text: str, *, units: int) -> None:
        if units and self._to_skip:
            self._to_skip -= units
        elif not self._aside_from:
            self.parts.append(text)
