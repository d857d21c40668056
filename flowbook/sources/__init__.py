"""Read cells of a notebook as code: what each needs and makes, and which must run before which.

>>> from flowbook.sources import analyse, dependencies
>>> cells = ["x = [1]", "y = sum(x)", "x.append(2)", "print(x, y)"]
>>> for edge in dependencies([analyse(cell) for cell in cells]):
...     print(edge.upstream, edge.downstream, edge.kind, *edge.names)
0 1 data x
0 2 data x
1 2 order x
1 3 data y
2 3 data x
"""

from __future__ import annotations

from flowbook.sources.names import Call, CellNames, CellSyntaxError, Deferred, Dependency, Objects
from flowbook.sources.ordering import dependencies, outputs, shared_cells, temporaries
from flowbook.sources.reading import analyse

__all__ = [
    "Call",
    "CellNames",
    "CellSyntaxError",
    "Deferred",
    "Dependency",
    "Objects",
    "analyse",
    "dependencies",
    "outputs",
    "shared_cells",
    "temporaries",
]
