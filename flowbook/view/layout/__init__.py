"""The layered layout: which box goes where, and which way every edge goes.

`layout` ranks nodes, orders every rank so that few edges cross, places boxes amid their neighbours, and draws edges as
smooth curves that pass no box. It is pure Python and needs nothing but the standard library; the same input gives the
same layout on every Python (so floats are added with `fsum`: what `sum` makes of them changed with Python 3.12).
"""

from __future__ import annotations

from flowbook.view.layout.compose import Direction, layout
from flowbook.view.layout.result import Layout, Route, crossings

__all__ = ["Direction", "Layout", "Route", "crossings", "layout"]
