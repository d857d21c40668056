"""Estimated widths are never too small, and what is shortened fits."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook.view.measure import Face, clean, elide, text_width, wrap

FONTS = {
    "regular": ["DejaVuSans.ttf", "LiberationSans-Regular.ttf"],
    "bold": ["DejaVuSans-Bold.ttf", "LiberationSans-Bold.ttf"],
    "mono": ["DejaVuSansMono.ttf", "LiberationMono-Regular.ttf"],
}
SAMPLES = [
    string.ascii_letters,
    string.digits + string.punctuation,
    "read_flights_of_the_month",
    "TriggerFailed · all_successful",
    "Größe, naïve façade, Łódź, Ελληνικά, Кириллица, JSON",
    "○◷◔◌▶◍▷✓≡▤∞■↺‖↷⊘✗⚑⋈≠⊠ … → ␀",
    "e\u0301 combining",
]


def font_files() -> list[tuple[Face, Path]]:
    roots = [Path("/usr/share/fonts"), *_matplotlib_fonts()]
    found = {path.name: path for root in roots for path in root.rglob("*.ttf")}
    faces: list[Face] = ["regular", "bold", "mono"]
    return [(face, found[name]) for face in faces for name in FONTS[face] if name in found]


def _matplotlib_fonts() -> list[Path]:
    import matplotlib as mpl

    return [Path(mpl.get_data_path()) / "fonts" / "ttf"]


@pytest.mark.parametrize("text", SAMPLES)
@pytest.mark.parametrize(("face", "font"), font_files(), ids=lambda value: getattr(value, "name", value))
def test_width_is_at_least_that_of_common_fonts(face: Face, font: Path, text: str) -> None:
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    with TTFont(font) as opened:
        advances, known, em = opened["hmtx"], opened.getBestCmap(), opened["head"].unitsPerEm
        width = sum(advances[known[ord(char)]][0] / em for char in text if ord(char) in known)
    assert width <= text_width(text, 1, face) + 1e-9


@pytest.mark.parametrize("face", ["regular", "bold", "mono"])
@given(text=st.text(max_size=40), room=st.floats(20, 300))
def test_elided_text_fits(face: Face, text: str, room: float) -> None:
    shown = elide(text, room, 12, face)
    assert text_width(shown, 12, face) <= room
    assert shown == text or "…" in shown


def test_elided_in_the_middle_keeps_both_ends() -> None:
    name = "read_" + "x" * 200 + "_month"
    shown = elide(name, 120, 13)
    assert shown.startswith("read_")
    assert shown.endswith("month")


@given(st.text())
def test_cleaned_text_is_one_line_that_xml_can_carry(text: str) -> None:
    shown = clean(text)
    shown.encode("utf-8")
    assert "\n" not in shown
    assert not any(ord(char) < 0x20 or ord(char) in {0x7F, 0x202E, 0xFFFE, 0xFFFF} for char in shown)


def test_a_very_long_text_loses_its_middle() -> None:
    assert len(clean("a" * 10_000)) == 2000 - 1


@given(st.text(alphabet="ab \n", max_size=200))
def test_wrapped_lines_fit_and_keep_the_words(text: str) -> None:
    lines = wrap(text, 60, 12)
    assert all(text_width(line, 12) <= 60 for line in lines)
