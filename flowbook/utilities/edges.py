"""Where the reference API keeps `mapped`, `unmapped` and `flatten`."""

from __future__ import annotations

from flowbook.mapping import EdgeAnnotation, flatten, mapped, unmapped

__all__ = ["EdgeAnnotation", "flatten", "mapped", "unmapped"]
