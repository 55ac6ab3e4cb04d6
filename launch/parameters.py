"""Query parameters that may come once or not at all; anything ambiguous is refused before it is used."""

from collections.abc import Iterable
from urllib.parse import parse_qsl

from launch.errors import MalformedRequest

LONGEST_QUERY = 48 * 1024
MOST_PARAMETERS = 40


def single_parameters(query: bytes, names: Iterable[str], *, longest: int) -> dict[str, str]:
    """Return the named parameters that are present, decoded; others are ignored, also when they repeat.

    Raises `MalformedRequest` for a named parameter that is repeated, empty or longer than `longest`, and
    for a query that is not UTF-8 or is absurdly long: two parsers could read those differently (ASVS
    15.3.7).
    """
    if len(query) > LONGEST_QUERY:
        raise MalformedRequest("the query is too long")
    try:
        pairs = parse_qsl(
            query.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except ValueError as error:
        raise MalformedRequest("the query cannot be decoded") from error
    found = {name: [value for key, value in pairs if key == name] for name in names}
    return {name: _only(name, values, longest) for name, values in found.items() if values}


def _only(name: str, values: list[str], longest: int) -> str:
    if len(values) > 1:
        raise MalformedRequest(f"{name} is repeated")
    if not values[0] or len(values[0]) > longest:
        raise MalformedRequest(f"{name} is empty or too long")
    return values[0]
