"""Outputs: what a cell prints and shows, kept for it, and the process as it was before."""

from __future__ import annotations

import time

from flowbook.notebook.outputs import Outputs


def test_a_cell_may_print_line_by_line_for_long() -> None:
    outputs, began = Outputs(), time.monotonic()
    for number in range(40_000):
        outputs.write("stdout", f"line {number} of a long story, told word by word\n")
    assert outputs.size == len(outputs.saved()[0]["text"]) > 1_500_000
    assert time.monotonic() - began < 2


def test_what_is_printed_and_shown_keeps_its_order() -> None:
    outputs = Outputs()
    for stream, text in (("stdout", "a"), ("stdout", "b"), ("stderr", "c"), ("stdout", "d"), ("stdout", "e")):
        outputs.write(stream, text)
    outputs.show({"text/plain": "f"}, None, None)
    outputs.write("stdout", "g")
    assert [item.get("text") or item["data"]["text/plain"] for item in outputs.saved()] == ["ab", "c", "de", "f", "g"]
    outputs.clear(wait=True)
    outputs.write("stdout", "h")
    outputs.write("stdout", "i")
    assert [item["text"] for item in outputs.items] == ["hi"]
    outputs.clear()
    outputs.write("stdout", "j")
    assert [item["text"] for item in outputs.items] == ["j"]
