"""Print the figures of all benches as one table: ``python -m tests.bench [name …]``.

Figures are ratios against a floor in the same run, or CPU seconds, wherever that says enough: the machine may be busy.
Nothing here fails a build; a figure that misses its bar is marked.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

Row = tuple[str, float, float, bool]


def modules(wanted: list[str]) -> list[str]:
    """Return the benches asked for, or all of them."""
    found = [info.name for info in pkgutil.iter_modules([str(Path(__file__).parent)]) if info.name.startswith("bench_")]
    return [name for name in found if not wanted or name.removeprefix("bench_") in wanted]


def main(wanted: list[str]) -> None:
    """Measure and print."""
    console = Console()
    table = Table(title="flowbook, measured here and now", title_justify="left")
    for name, justify in (("bench", "left"), ("figure", "left"), ("value", "right"), ("bar", "right"), ("", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # the words that rich knows
    missed = 0
    for name in modules(wanted):
        console.print(f"measuring {name.removeprefix('bench_')} …", style="dim")
        rows: list[Row] = importlib.import_module(f"tests.bench.{name}").rows()
        for index, (figure, value, bar, ok) in enumerate(rows):
            missed += not ok
            mark = "[green]✓[/green]" if ok else "[red]✗ missed[/red]"
            table.add_row("" if index else name.removeprefix("bench_"), figure, f"{value:,.4g}", f"{bar:,.4g}", mark)
        table.add_section()
    console.print(table)
    console.print("All figures are met." if not missed else f"{missed} figures are missed.")


if __name__ == "__main__":
    main(sys.argv[1:])
