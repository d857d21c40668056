"""``python -m flowbook``: the command line."""

from __future__ import annotations

from flowbook.cli import main

if __name__ == "__main__":
    main(prog_name="flowbook")
