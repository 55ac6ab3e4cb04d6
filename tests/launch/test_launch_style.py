"""The EHR's style: from pinned hosts, value by value, and never a reason for a launch to fail."""

from typing import Any

import pytest
from launch_harness import Harness
from small_ehr import SmallEHR, as_json
from werkzeug.wrappers import Response

from launch.style import LaunchStyle, read_style

STYLE = "/styles/v1.json"
GOOD = {
    "color_background": "#edeae3",
    "color_text": "#303030ff",
    "dim_border_radius": "6px",
    "dim_font_size": "0.9rem",
    "dim_spacing_size": "20px",
    "font_family_body": "Georgia, Times, 'Times New Roman', serif",
}


def styled(harness: Harness, ehr: SmallEHR, url: object = None) -> LaunchStyle | None:
    ehr.token_changes = {"smart_style_url": f"{ehr.origin}{STYLE}" if url is None else url}
    assert harness.complete(harness.browser(), ehr).status_code == 303
    return harness.completed[-1].context.style


def test_the_style_of_the_ehr_comes_with_the_context(harness: Harness, ehr: SmallEHR) -> None:
    """A37."""
    ehr.answers[STYLE] = lambda _: as_json(GOOD)

    style = styled(harness, ehr)

    assert style
    assert (style.color_background, style.dim_font_size, style.color_error) == ("#edeae3", "0.9rem", None)
    assert style.font_family_body == GOOD["font_family_body"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("color_background", "red; background: url(https://evil.example)"),
        ("color_background", "url(https://evil.example)"),
        ("color_background", "#fff} body { display: none"),
        ("color_background", "var(--x)"),
        ("color_background", "#ggg"),
        ("color_text", "#12345"),
        ("color_text", 7),
        ("color_text", ["#fff"]),
        ("dim_font_size", "calc(1px)"),
        ("dim_font_size", "9999px"),
        ("dim_font_size", "-1px"),
        ("dim_font_size", "1px\n"),
        ("font_family_body", "x, url(https://evil.example)"),
        ("font_family_body", "x; color: red"),
        ("font_family_body", "'x\\'"),
        ("font_family_body", "x" * 4000),
        ("unknown", "#fff"),
    ],
)
def test_a_value_that_could_be_anything_else_is_dropped(member: str, value: Any) -> None:
    """A37: CSS injection; the values beside it stay."""
    assert read_style({**GOOD, "color_error": "#f00", member: value}) == read_style(
        {name: kept for name, kept in {**GOOD, "color_error": "#f00"}.items() if name != member}
    )


@pytest.mark.parametrize(
    "url",
    ["https://evil.example/style.json", "http://169.254.169.254/", "https://ehr.example@evil.example/", 7, [], "\\\\x"],
)
def test_a_style_from_elsewhere_is_not_fetched(harness: Harness, ehr: SmallEHR, url: object) -> None:
    """A37, E14, E15, E16."""
    before = len(ehr.requests)
    assert styled(harness, ehr, url) is None
    assert {path for path, _, _ in ehr.requests[before:]} <= {
        *("/fhir/r4/.well-known/smart-configuration", "/oauth2/token", "/oauth2/keys")
    }


@pytest.mark.parametrize(
    "answer",
    [
        Response("no", 404),
        Response("<html>", 200),
        Response("[]", 200),
        Response(status=302, headers={"Location": "http://169.254.169.254/"}),
        Response("x" * 300_000),
    ],
)
def test_a_style_that_cannot_be_read_does_not_stop_the_launch(
    harness: Harness, ehr: SmallEHR, answer: Response
) -> None:
    """A37; and it is not asked for again at each launch."""
    ehr.answers[STYLE] = lambda _: answer

    assert styled(harness, ehr) is None
    assert styled(harness, ehr) is None
    assert len(ehr.requests_to(STYLE)) == 1


def test_a_new_address_is_a_new_style_and_an_old_one_is_not_asked_again(harness: Harness, ehr: SmallEHR) -> None:
    """A37: content that changes must change its address."""
    ehr.answers[STYLE] = lambda _: as_json({"color_text": "#111"})
    ehr.answers["/styles/v2.json"] = lambda _: as_json({"color_text": "#222"})

    colors = [styled(harness, ehr), styled(harness, ehr), styled(harness, ehr, f"{ehr.origin}/styles/v2.json")]

    assert [style and style.color_text for style in colors] == ["#111", "#111", "#222"]
    assert len(ehr.requests_to(STYLE)) == 1
