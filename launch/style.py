"""The EHR's colours and sizes (`smart_style_url`, SMART App Launch 2.2, styling; conformance A37).

Experimental and untrusted: of what comes back only values that can be nothing but a colour, a length or font names are
kept.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

COLOR = re.compile(r"#(?:[0-9A-Fa-f]{3,4}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})")
LENGTH = re.compile(r"(?:0|[0-9]{1,3}(?:\.[0-9]{1,3})?(?:px|rem|em|pt))")
FONT_NAME = r"(?:[A-Za-z][A-Za-z-]{0,40}(?: [A-Za-z]{1,40}){0,4}|'[A-Za-z][A-Za-z0-9 -]{0,40}')"
FONTS = re.compile(rf"{FONT_NAME}(?:, ?{FONT_NAME}){{0,7}}")


@dataclass(frozen=True)
class LaunchStyle:
    """What the EHR's own pages look like; None where it did not say, or not in a form that we take."""

    color_background: str | None = None
    color_error: str | None = None
    color_highlight: str | None = None
    color_modal_backdrop: str | None = None
    color_success: str | None = None
    color_text: str | None = None
    dim_border_radius: str | None = None
    dim_font_size: str | None = None
    dim_spacing_size: str | None = None
    font_family_body: str | None = None
    font_family_heading: str | None = None


PATTERNS: Mapping[str, re.Pattern[str]] = {"color": COLOR, "dim": LENGTH, "font": FONTS}


def read_style(document: Mapping[str, Any]) -> LaunchStyle:
    """Return what of a style document matches the pattern of its member; everything else is left out."""
    known = {member.name: document.get(member.name) for member in fields(LaunchStyle)}
    return LaunchStyle(**{name: value for name, value in known.items() if _is_plain(name, value)})


def _is_plain(name: str, value: object) -> bool:
    return isinstance(value, str) and PATTERNS[name.partition("_")[0]].fullmatch(value) is not None
