"""Numbers as they are said and as they are written: "twenty five", "25" and "two point five" become figures."""

import re

UNITS_AND_TEENS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
ONES = {word: value for value, word in enumerate(UNITS_AND_TEENS.split())}
TENS_NAMES = "twenty thirty forty fifty sixty seventy eighty ninety"
TENS = {word: 10 * value for value, word in enumerate(TENS_NAMES.split(), start=2)}
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
