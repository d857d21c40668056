"""Write the forms of cards and lines as SVG: numbers as short as a picture needs them, absolute points only.

The browser works out where things stand from these attributes, so every form is a `rect`, or a `path` of M, L and C
(and of A in parts that nobody measures).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowbook.view.protocol import Kind

Point = tuple[float, float]

POINT = 11.0
"""How far the points of a condition, and of the place where branches meet, stand out."""


def digits(value: float) -> str:
    """Write a number as short as a picture needs it.

    >>> digits(2.0), digits(2.25)
    ('2', '2.2')
    """
    return f"{value:.1f}".removesuffix(".0")


def place(point: Point) -> str:
    """Write a point."""
    return f"{digits(point[0])},{digits(point[1])}"


def rect(name: str, x: float, y: float, width: float, height: float, radius: float, more: str = "") -> str:
    """Write a rounded box."""
    corner = f'x="{digits(x)}" y="{digits(y)}" ' if x or y else ""
    size = f'width="{digits(width)}" height="{digits(height)}" rx="{digits(radius)}"'
    return f'<rect class="{name}" {corner}{size}{more}/>'


def outline(
    name: str, kind: Kind, x: float, y: float, width: float, height: float, radius: float, more: str = ""
) -> str:
    """Write the form of a node of some kind: a box, or with points where it is about branches."""
    if kind not in {"condition", "merge"}:
        return rect(name, x, y, width, height, radius, more)
    left, right, top, bottom, middle = x, x + width, y, y + height, y + height / 2
    point = POINT * height / (height + 8)
    corners = [(right - point, top), (right, middle), (right - point, bottom)]
    if kind == "condition":
        corners += [(left + point, bottom), (left, middle), (left + point, top)]
    else:
        corners += [(left, bottom), (left, top)]
    return f'<path class="{name}" d="{polygon(corners)}"{more}/>'


def polygon(corners: Sequence[Point]) -> str:
    """Return the path of a form with straight sides."""
    first, *rest = corners
    return f"M{place(first)}{''.join(f'L{place(one)}' for one in rest)}Z"


def stripe(kind: Kind, wide: float, height: float, radius: float) -> str:
    """Return the path of the part of a form that is left of x = `wide`."""
    if kind == "condition":
        point = POINT * height / (height + 8)
        return f"M{digits(point)},0L0,{digits(height / 2)}L{digits(point)},{digits(height)}Z"
    if kind != "merge" and wide < radius:
        y = radius - math.sqrt(radius**2 - (radius - wide) ** 2)
        arc = f"A{digits(radius)},{digits(radius)} 0 0 0 "
        ends = f"{arc}0,{digits(radius)}L0,{digits(height - radius)}{arc}{digits(wide)},{digits(height - y)}"
        return f"M{digits(wide)},{digits(y)}{ends}Z"
    return f"M0,0L{digits(wide)},0L{digits(wide)},{digits(height)}L0,{digits(height)}Z"


def curve(points: Sequence[Point]) -> str:
    """Return the path of a route: its beginning, then three points for each cubic curve."""
    parts = (f"C{place(points[i])} {place(points[i + 1])} {place(points[i + 2])}" for i in range(1, len(points) - 2, 3))
    return f"M{place(points[0])}{''.join(parts)}"


def arrow(points: Sequence[Point], half: float) -> tuple[str, str]:
    """Return the line of a route, which stops inside its arrowhead, and the arrowhead."""
    (x, y), (dx, dy) = points[-1], _heading(points)
    tip, base = 1.0, 8.5
    line = curve([*points[:-1], (x - dx * (base - 1), y - dy * (base - 1))])
    back = (x - dx * base, y - dy * base)
    wings = [(back[0] - dy * half, back[1] + dx * half), (back[0] + dy * half, back[1] - dx * half)]
    return line, f"M{place(wings[0])}L{place((x - dx * tip, y - dy * tip))}L{place(wings[1])}Z"


def fan(points: Sequence[Point]) -> str:
    """Return the mark of many results that become one: lines that meet where a route has just begun."""
    first = points[:4]
    (x, y), (dx, dy) = points[0], _heading([*reversed(first)])
    meet = next((at for step in range(1, 25) if math.dist(at := _on(first, step / 25), (x, y)) >= FAN), first[-1])
    parts = []
    for side in (-FAN_HALF, FAN_HALF):
        start = (x + dy * side, y - dx * side)
        near = (start[0] - dx * FAN * 0.5, start[1] - dy * FAN * 0.5)
        parts.append(curve([start, near, ((meet[0] + near[0]) / 2, (meet[1] + near[1]) / 2), meet]))
    return "".join(parts)


FAN, FAN_HALF = 16.0, 7.0
"""How far from its card a fan has become one line, and how far from the line its outer lines begin."""


def _on(points: Sequence[Point], share: float) -> Point:
    """Return the point of a cubic curve where `share` of its parameter is over."""
    left = 1 - share
    weights = (left**3, 3 * left**2 * share, 3 * left * share**2, share**3)
    return (
        math.fsum(weight * point[0] for weight, point in zip(weights, points, strict=True)),
        math.fsum(weight * point[1] for weight, point in zip(weights, points, strict=True)),
    )


def _heading(points: Sequence[Point]) -> Point:
    """Return the direction in which a route arrives."""
    x, y = points[-1]
    for before in reversed(points[:-1]):
        length = math.hypot(x - before[0], y - before[1])
        if length > 1e-6:  # noqa: PLR2004 - control points may coincide with the end
            return (x - before[0]) / length, (y - before[1]) / length
    return 1.0, 0.0
