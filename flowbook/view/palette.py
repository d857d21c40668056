"""Give every state a family, a glyph and a word, and every family its colours.

Colour is never the only carrier: more than about six states can't be told apart by colour, so there are five
families of colour, and each state has a glyph of its own and its class name as word. The suite keeps what was
tuned by eye: the two closest families differ by at least 10 (CIEDE2000) for normal eyes and three kinds of
colour blindness, stripes and badges have a contrast of at least 3 to what is behind them, text at least 4.5.

``python -m flowbook.view.palette`` shows the colours, ``--write js/src/look.ts`` writes the TypeScript twin.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from flowbook.states import Finished, Looped, Running
from flowbook.view import measure
from flowbook.view.vision import VISIONS, channels, contrast, distance, mix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Theme = Literal["auto", "light", "dark"]


@dataclass(frozen=True, slots=True)
class Tone:
    """The colours of one family in one theme: the strong one, the tint of a card, and text on that card."""

    strong: str
    fill: str
    text: str


@dataclass(frozen=True, slots=True)
class Scheme:
    """One theme: what lies behind, what is written on it, and the five families."""

    ground: str
    ink: str
    muted: str
    line: str
    rule: str
    glyph: str
    cycle: str
    families: dict[str, Tone]


def _tones(ground: str, share: float, colours: dict[str, tuple[str, str]]) -> dict[str, Tone]:
    return {name: Tone(strong, mix(strong, ground, share), text) for name, (strong, text) in colours.items()}


LIGHT = Scheme(
    ground="#ffffff",
    ink="#1d2026",
    muted="#5b626d",
    line="#b4bac3",
    rule="#e4e7eb",
    glyph="#ffffff",
    cycle="#b5141c",
    families=_tones(
        "#ffffff",
        0.08,
        {
            "good": ("#17705f", "#14604f"),
            "bad": ("#b5141c", "#a3121a"),
            "active": ("#2a78dc", "#1a5bb0"),
            "warn": ("#b9720d", "#7f4d06"),
            "waiting": ("#7f858f", "#5b626d"),
        },
    ),
)
DARK = Scheme(
    ground="#1b1c1f",
    ink="#eceef1",
    muted="#a4aab4",
    line="#5d636d",
    rule="#33363b",
    glyph="#141517",
    cycle="#ee5852",
    families=_tones(
        "#1b1c1f",
        0.15,
        {
            "good": ("#43c298", "#8bdcc0"),
            "bad": ("#ee5852", "#ff9f99"),
            "active": ("#5a98f7", "#9cc3ff"),
            "warn": ("#f0ad42", "#f5c67f"),
            "waiting": ("#9297a3", "#a4aab4"),
        },
    ),
)
FAMILIES: tuple[str, ...] = tuple(LIGHT.families)
"""In the order in which counts are shown: what is done first, what is still to come last."""

MAPPING = "Mapping"
"""What a mapped task is called while its children run. No state: the run of the mapped task itself is Pending then."""

_STATES: dict[str, dict[str, str]] = {
    "waiting": {"Pending": "○", "Scheduled": "◷", "Queued": "◔", "State": "·"},
    "active": {"Running": "▶", "Submitted": "◌", "Resume": "▷", "Cancelling": "◍", MAPPING: "▦"},
    "good": {"Success": "✓", "Cached": "≡", "Mapped": "▤", "Looped": "∞", "Finished": "■"},
    "warn": {"Retrying": "↺", "Paused": "‖", "Skipped": "↷", "Cancelled": "⊘"},
    "bad": {
        "Failed": "✗",
        "TriggerFailed": "⚑",
        "TimedOut": "⋈",
        "ValidationFailed": "≠",
        "ClientFailed": "⊠",
    },
}
FAMILY_WORD: dict[str, str] = {
    "good": "done",
    "bad": "failed",
    "active": "running",
    "warn": "held up or left out",
    "waiting": "waiting",
}
ROUTINE: tuple[str, ...] = (
    "Waits for its turn.",
    "Starting task run.",
    "Task run succeeded.",
    "Task not run.",
    "All mapped children have ended.",
)
"""Messages that say no more than their state: a card leaves them out."""

FAMILY: dict[str, str] = {state: family for family, states in _STATES.items() for state in states}
# The sign of a family's count. What is amber has nothing in common but to be looked at, so it gets a sign of its own.
FAMILY_GLYPH: dict[str, str] = {family: next(iter(states.values())) for family, states in _STATES.items()} | {
    "warn": "◇"
}
GLYPH: dict[str, str] = {state: glyph for states in _STATES.values() for state, glyph in states.items()}


def family_of(state: str) -> str:
    """Return the family of a state's class name; a state nobody told us about waits.

    >>> family_of("TriggerFailed"), family_of("Enchanted")
    ('bad', 'waiting')
    """
    return FAMILY.get(state, "waiting")


def glyph_of(state: str) -> str:
    """Return the glyph of a state's class name.

    >>> glyph_of("Success"), glyph_of("Enchanted")
    ('✓', '·')
    """
    return GLYPH.get(state, GLYPH["State"])


def stylesheet(theme: Theme | Literal["host"] = "host") -> str:
    """Return the one stylesheet of static pictures, widget, lab and page.

    Args:
        theme: "light" and "dark" force one, written without CSS variables, which drawing programs don't know;
            "auto" follows the reader's system, for pictures that stand alone; "host" is light and turns dark under
            `data-theme="dark"`.

    Returns:
        CSS text. It fetches nothing and addresses only `fb-` classes; what only pages have is in "host" alone.

    >>> "prefers-color-scheme" in stylesheet("auto"), "prefers-color-scheme" in stylesheet("host")
    (True, False)
    """
    if theme in {"light", "dark"}:
        return _resolved(_rules("picture.css"), DARK if theme == "dark" else LIGHT)
    parts = [_variables(_ROOTS, LIGHT)]
    if theme == "auto":
        parts.append(f"@media (prefers-color-scheme: dark) {{\n{_variables(_ROOTS, DARK)}\n}}")
    if theme == "host":
        parts.append(_variables(_DARK_ROOTS, DARK))
    rules = [_rules("picture.css"), *([_rules("page.css")] if theme == "host" else [])]
    return "\n".join([*parts, *rules, *_family_rules()]) + "\n"


_ROOTS = ".fb-root, .fb-picture"
_DARK_ROOTS = ", ".join(
    selector
    for root in (".fb-root", ".fb-picture")
    for selector in (f'[data-theme="dark"] {root}', f'{root}[data-theme="dark"]')
)


def _variables(selector: str, scheme: Scheme) -> str:
    lines = [f"{name}: {value};" for name, value in _values(scheme).items()]
    return selector + " {\n  " + "\n  ".join(lines) + "\n}"


def _values(scheme: Scheme) -> dict[str, str]:
    names = ("ground", "ink", "muted", "line", "rule", "glyph", "cycle")
    values = {f"--fb-{name}": str(getattr(scheme, name)) for name in names}
    for family, tone in scheme.families.items():
        values |= _tone_values(family, tone)
    return values


def _tone_values(family: str, tone: Tone) -> dict[str, str]:
    return {f"--fb-{family}": tone.strong, f"--fb-{family}-fill": tone.fill, f"--fb-{family}-text": tone.text}


_RULE = re.compile(r"(?P<at>@\w[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\})|(?P<selectors>[^{}@]+)\{(?P<body>[^{}]*)\}")
_VARIABLE = re.compile(r"var\((--fb-[\w-]+)\)")


def _resolved(css: str, scheme: Scheme) -> str:
    """Put values in the place of variables; a rule that speaks of the tone becomes one for each family."""
    bare = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    values = _values(scheme) | dict(re.findall(r"(--fb-[\w-]+):\s*([^;]+);", bare))
    rules = []
    for rule in _RULE.finditer(bare):
        if rule["at"]:  # of motion and forced colours: they speak of no colour of ours
            rules.append(rule["at"])
        elif "var(--fb-tone" not in rule["body"]:
            rules.append(f"{rule['selectors'].strip()} {{{_filled(rule['body'], values)}}}")
        else:
            for family, tone in scheme.families.items():
                selectors = ", ".join(_of_family(one.strip(), family) for one in rule["selectors"].split(","))
                body = _filled(rule["body"], values | _tone_values("tone", tone))
                rules.append(f"{selectors} {{{body}}}")
    return "\n".join(rules) + "\n"


def _of_family(selector: str, family: str) -> str:
    """Let a selector hold only inside or on an element of the family."""
    chosen = f'[data-family="{family}"]'
    above, _, last = selector.rpartition(" ")
    if above.rpartition(" ")[2].startswith("[data-"):  # the node itself, which has its family beside its state
        return f"{above}{chosen} {last}"
    return f"{above} {chosen} {last}, {selector}{chosen}".strip()


def _filled(body: str, values: dict[str, str]) -> str:
    """Write a rule's declarations without variables, and without those that only define them."""
    used = [line.strip() for line in body.split(";") if line.strip() and not line.strip().startswith("--")]
    return "; ".join(_VARIABLE.sub(lambda found: values[found[1]], line) for line in used)


@cache
def _rules(name: str) -> str:
    return resources.files("flowbook.view").joinpath(name).read_text(encoding="utf-8").strip()


def _family_rules() -> Iterable[str]:
    """Let a family be chosen by one attribute; everything else in the stylesheet speaks of `--fb-tone`."""
    for family in FAMILIES:
        yield (
            f'[data-family="{family}"] {{ --fb-tone: var(--fb-{family}); '
            f"--fb-tone-fill: var(--fb-{family}-fill); --fb-tone-text: var(--fb-{family}-text); }}"
        )


def closest_families(scheme: Scheme) -> tuple[float, str, str, str]:
    """Return the smallest distance between two families, the vision that sees it so, and the families."""
    return min(
        (distance(scheme.families[a].strong, scheme.families[b].strong, vision), vision, a, b)
        for vision in VISIONS
        for a, b in itertools.combinations(FAMILIES, 2)
    )


def typescript() -> str:
    """Return the text of ``js/src/look.ts``: stylesheet, families, glyphs, widths to measure text with."""
    about = "Generated from flowbook/view/palette.py by `python -m flowbook.view.palette --write js/src/look.ts`."
    families = f"export type Family = {' | '.join(_json(family) for family in FAMILIES)};"
    texts = [f"/** {doc} */\nexport const {name} = {value};" for doc, name, value in (*_words(), *_measures())]
    return "\n\n".join([f"// {about} Edit that, not this.", families, *texts]) + "\n"


def _words() -> list[tuple[str, str, str]]:
    """What the browser must know of states and families: about it, its name and type, its value."""
    return [
        (
            "The order in which counts by family are shown.",
            "FAMILIES: readonly Family[]",
            _json(list(FAMILIES)),
        ),
        (
            "What a count of a family is called.",
            "FAMILY_WORD: Readonly<Record<Family, string>>",
            _json(FAMILY_WORD),
        ),
        (
            "The sign of a family where it is counted.",
            "FAMILY_GLYPH: Readonly<Record<Family, string>>",
            _json(FAMILY_GLYPH),
        ),
        (
            "Family of each state, by class name; any other state is waiting.",
            "FAMILY: Readonly<Record<string, Family>>",
            _json(FAMILY, indent=2),
        ),
        (
            "Glyph of each state, by class name; any other state has that of State.",
            "GLYPH: Readonly<Record<string, string>>",
            _json(GLYPH, indent=2),
        ),
        (
            "States in which an attempt is under way.",
            "ATTEMPTS: readonly string[]",
            _json(Running.children(include_self=True, names_only=True)),
        ),
        (
            "States in which a task run has ended, Looped left out: it starts anew at once.",
            "FINISHED: readonly string[]",
            _json([name for name in Finished.children(include_self=True, names_only=True) if name != Looped.__name__]),
        ),
        ("Messages that say no more than their state.", "ROUTINE: readonly string[]", _json(ROUTINE)),
    ]


def _measures() -> list[tuple[str, str, str]]:
    """What it must know to measure and to draw, likewise."""
    return [
        (
            "Inside a card: where texts begin, what stays free at the right, font size of the state line.",
            "CARD: { readonly left: number; readonly right: number; readonly size: number }",
            "{ left: 46, right: 12, size: 11 }",
        ),
        (
            "Widths of U+0020 to U+04FF in 32nds of an em, in base 62; see flowbook/view/measure.py.",
            'WIDTHS: Readonly<Record<"regular" | "bold", string>>',
            _json(measure.WIDTHS, indent=2),
        ),
        (
            "Widths beyond that table in em: first and last code point, width; any other takes 1.1.",
            "WIDE: readonly (readonly [number, number, number])[]",
            _json(measure.OTHER),
        ),
        (
            'The one stylesheet: light, and dark under data-theme="dark".',
            "STYLE: string",
            _template(stylesheet()),
        ),
    ]


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _template(text: str) -> str:
    """Quote a long text for TypeScript so that its lines stay lines in a diff."""
    escaped = text.replace("\\", "\\\\").replace("`", "\\`").replace("${", "\\${")
    return f"`{escaped}`"


def shown() -> str:
    """Return the palette for a terminal with 24-bit colour, with the figures that the suite guards."""
    lines: list[str] = []
    for name, scheme in (("light", LIGHT), ("dark", DARK)):
        gap, vision, one, other = closest_families(scheme)
        lines += ["", f"{name}   closest families: {one} and {other}, {gap:.1f} for {vision}", ""]
        for family, tone in scheme.families.items():
            states = "  ".join(f"{glyph} {state}" for state, glyph in _STATES[family].items())
            badge = _painted(f" {next(iter(_STATES[family].values()))} ", scheme.glyph, tone.strong)
            card = _painted(f" {family:<8} {states} ", tone.text, tone.fill)
            lines.append(f"  {badge}{card} {tone.strong} {contrast(tone.strong, tone.fill):4.1f} : 1")
    return "\n".join(lines) + "\n"


def _painted(text: str, ink: str, ground: str) -> str:
    front, back = (";".join(map(str, channels(colour))) for colour in (ink, ground))
    return f"\x1b[38;2;{front};48;2;{back}m{text}\x1b[0m"


def main(argv: Sequence[str] | None = None) -> int:
    """Show the palette, or write its TypeScript twin."""
    parser = argparse.ArgumentParser(prog="python -m flowbook.view.palette", description=main.__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the TypeScript module there")
    path: Path | None = parser.parse_args(argv).write
    if path is None:
        print(shown())
    else:
        path.write_text(typescript(), encoding="utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
