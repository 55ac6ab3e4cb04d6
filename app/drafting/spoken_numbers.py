"""Numbers as they are said and as they are written: "twenty five", "25" and "two point five" become figures."""

import re

UNITS_AND_TEENS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
ONES = {word: value for value, word in enumerate(UNITS_AND_TEENS.split())}
TENS_NAMES = "twenty thirty forty fifty sixty seventy eighty ninety"
TENS = {word: 10 * value for value, word in enumerate(TENS_NAMES.split(), start=2)}
LARGEST_DIGIT = 9
TOKEN = re.compile(r"\d+(?:[.,]\d+)?|[a-z]+|\.", re.IGNORECASE)


def numbers_in(text: str) -> set[str]:
    """Every number in `text` as figures without trailing zeros: {"25", "2.5"}. Both readings of "one twenty" count."""
    found: set[str] = set()
    run: list[str] = []
    for token in [*TOKEN.findall(text.lower().replace("-", " ")), ""]:
        if token in ONES or token in TENS or (run and token in ("hundred", "thousand", "point", ".")):
            run.append(token)
            continue
        found |= _values(run)
        run = []
        if token[:1].isdigit():
            found.add(_plain(token.replace(",", "") if re.fullmatch(r"\d+,\d{3}", token) else token))
    return found


def number_said(text: str) -> str:
    """The one number that `text` says, in figures; empty when it says none, several, or one that can be doubted."""
    words = TOKEN.findall(text.lower().replace("-", " "))
    if len(words) == 1 and words[0][0].isdigit():
        return _plain(words[0])
    at = next((place for place, word in enumerate(words) if word in ("point", ".")), len(words))
    whole, fraction = _whole(words[:at]), words[at + 1 :]
    if not whole or any(ONES.get(word, LARGEST_DIGIT + 1) > LARGEST_DIGIT for word in fraction):
        return ""
    return _plain(f"{whole}.{''.join(str(ONES[word]) for word in fraction)}") if fraction else whole


def _whole(words: list[str]) -> str:
    """A whole number below a thousand as people say it: "seventy six", "one twenty eight", "one hundred and four"."""
    if "hundred" in words:
        at = words.index("hundred")
        rest = [word for word in words[at + 1 :] if word != "and"]
        below = _whole(rest) if rest else "0"
        digit = ONES.get(words[0], 0) if at == 1 else 0
        return str(100 * digit + int(below)) if 0 < digit <= LARGEST_DIGIT and below and int(below) < 100 else ""
    match [ONES.get(word, TENS.get(word)) for word in words]:
        case [int(value)]:
            return str(value)
        case [int(tens), int(digit)] if words[0] in TENS and 0 < digit <= LARGEST_DIGIT:
            return str(tens + digit)
        case [int(hundreds), int(_), *_] if 0 < hundreds <= LARGEST_DIGIT and words[1] in TENS and _whole(words[1:]):
            return str(100 * hundreds + int(_whole(words[1:])))
    return ""


def _values(run: list[str]) -> set[str]:
    while run and run[-1] in (".", "point"):
        run = run[:-1]
    if not run:
        return set()
    for mark in ("point", "."):
        if mark in run:
            at = run.index(mark)
            whole, fraction = run[:at], run[at + 1 :]
            digits = "".join(str(ONES.get(word, TENS.get(word, ""))) for word in fraction)
            return {_plain(f"{_sum(whole)}.{digits}")} | _values(whole) | _values(fraction)
    return {
        str(_sum(run)),
        _read_in_pairs(run),
        *(str(ONES.get(word, TENS.get(word, ""))) for word in run),
    } - {""}


def _sum(run: list[str]) -> int:
    total = current = 0
    for word in run:
        if word == "hundred":
            current = max(current, 1) * 100
        elif word == "thousand":
            total, current = total + max(current, 1) * 1000, 0
        else:
            current += ONES.get(word, TENS.get(word, 0))
    return total + current


def _read_in_pairs(run: list[str]) -> str:
    """To everyone in the room "one twenty eight" is 128."""
    if len(run) >= 2 and run[0] in ONES and ONES[run[0]] in range(1, 10) and run[1] in TENS:
        return str(100 * ONES[run[0]] + _sum(run[1:]))
    return ""


def _plain(number: str) -> str:
    number = number.replace(",", ".")
    return number.rstrip("0").rstrip(".") if "." in number else str(int(number))
