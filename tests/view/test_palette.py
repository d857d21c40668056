"""What was tuned by eye stays tuned: distances, contrasts, glyphs, and the generated twin."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest

from flowbook.view import palette, vision
from flowbook.view.palette import DARK, FAMILIES, FAMILY, GLYPH, LIGHT, Scheme

SCHEMES = pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
LOOK = Path(__file__).parents[2] / "js" / "src" / "look.ts"


@SCHEMES
def test_the_closest_families_differ_by_ten_in_four_visions(scheme: Scheme) -> None:
    gap, vision_name, one, other = palette.closest_families(scheme)
    assert gap >= 10, f"{one} and {other} are {gap:.1f} apart (CIEDE2000) for {vision_name} eyes"


@SCHEMES
@pytest.mark.parametrize("family", FAMILIES)
def test_stripes_and_badges_stand_out(scheme: Scheme, family: str) -> None:
    tone = scheme.families[family]
    for behind in (scheme.ground, tone.fill):
        assert vision.contrast(tone.strong, behind) >= 3
    assert vision.contrast(scheme.glyph, tone.strong) >= 3


@SCHEMES
def test_waiting_and_active_are_seen_on_either_ground(scheme: Scheme) -> None:
    for ground in (LIGHT.ground, DARK.ground):
        assert vision.contrast(LIGHT.families["waiting"].strong, ground) >= 3
        assert vision.contrast(LIGHT.families["active"].strong, ground) >= 3


@SCHEMES
@pytest.mark.parametrize("family", FAMILIES)
def test_text_can_be_read(scheme: Scheme, family: str) -> None:
    tone = scheme.families[family]
    for ink in (tone.text, scheme.ink, scheme.muted):
        for behind in (tone.fill, scheme.ground):
            assert vision.contrast(ink, behind) >= 4.5, (ink, behind)


def test_every_state_class_has_a_family_and_a_glyph_of_its_own() -> None:
    from flowbook import states

    names = {
        name
        for name, value in vars(states).items()
        if isinstance(value, type) and issubclass(value, states.State) and not name.startswith("_")
    }
    assert names <= set(FAMILY)
    assert set(FAMILY) == set(GLYPH)
    assert len(set(GLYPH.values())) == len(GLYPH)
    assert all(len(glyph) == 1 for glyph in GLYPH.values())


def test_glyphs_are_in_a_font_that_everybody_can_have() -> None:
    import matplotlib as mpl
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    with TTFont(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf") as font:
        known = font.getBestCmap()
    assert [glyph for glyph in GLYPH.values() if ord(glyph) not in known] == []


@pytest.mark.parametrize("theme", ["auto", "light", "dark", "host"])
def test_stylesheet_fetches_nothing_and_uses_only_what_it_defines(theme: str) -> None:
    css = palette.stylesheet(theme)  # type: ignore[arg-type]
    assert not re.search(r"url\(|@import|https?:", css)
    used = set(re.findall(r"var\((--fb-[\w-]+)", css))
    assert used <= set(re.findall(r"(--fb-[\w-]+):", css))
    assert css.count("{") == css.count("}")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_forced_theme_needs_no_variables(theme: Literal["light", "dark"]) -> None:
    css = palette.stylesheet(theme)
    assert "var(" not in css
    assert "--fb-" not in css
    for family in FAMILIES:
        strong = (LIGHT if theme == "light" else DARK).families[family].strong
        assert re.search(rf'\[data-family="{family}"\] \.fb-stripe[^{{]*\{{fill: {strong}', css)


def test_motion_runs_only_where_it_is_welcome() -> None:
    css = palette.stylesheet()
    quiet = re.sub(r"@media \(prefers-reduced-motion: no-preference\) \{.*?\n\}", "", css, flags=re.DOTALL)
    assert "animation" in css
    assert "animation" not in quiet
    assert "forced-colors" in css


def test_a_theme_can_be_forced() -> None:
    assert DARK.ground not in palette.stylesheet("light")
    assert LIGHT.families["good"].strong not in palette.stylesheet("dark")
    assert "prefers-color-scheme: dark" in palette.stylesheet("auto")


def test_the_typescript_twin_is_up_to_date() -> None:
    assert LOOK.read_text(encoding="utf-8") == palette.typescript(), "run: bash .ci/golden"


def test_the_module_shows_its_colours(capsys: pytest.CaptureFixture[str]) -> None:
    assert palette.main([]) == 0
    said = capsys.readouterr().out
    assert all(state in said for state in FAMILY)
    assert "closest families" in said


# From the table of Sharma, Wu and Dalal (2005): pairs of L*a*b* colours and their CIEDE2000 distance.
@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_distance_is_the_published_one(one: vision.Triple, other: vision.Triple, wanted: float) -> None:
    assert vision._ciede2000(one, other) == pytest.approx(wanted, abs=1e-4)
