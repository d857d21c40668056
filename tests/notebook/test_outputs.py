"""Outputs: what a cell prints and shows, kept for it, and the process as it was before."""

from __future__ import annotations

import gc
import io
import sqlite3
import sys
import threading
import time
import weakref
from typing import Any

import pytest

from flowbook.notebook.outputs import Outputs, collecting
from flowbook.notebook.surroundings import any_thread_for_sqlite


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


# -- the process as it was before --------------------------------------------------------------------------------------


def test_what_others_put_in_the_places_of_python_s_own_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[threading.Thread] = []
    begin: Any = threading.Thread.start
    connect: Any = sqlite3.connect

    def traced(thread: threading.Thread) -> None:
        started.append(thread)
        begin(thread)

    def opened(*args: Any, **kwargs: Any) -> Any:
        return connect(*args, **kwargs)

    monkeypatch.setattr(threading.Thread, "start", traced)
    monkeypatch.setattr(sqlite3, "connect", opened)
    outputs = Outputs()
    with collecting(outputs), any_thread_for_sqlite():
        thread = threading.Thread(target=lambda: print("from a thread"))
        thread.start()
        thread.join()
        sqlite3.connect(":memory:").close()
    assert started == [thread]
    assert [item["text"] for item in outputs.items] == ["from a thread\n"]
    assert threading.Thread.start is traced
    assert sqlite3.connect is opened


def test_what_a_cell_puts_there_is_left_and_threads_start_after_the_next_cells_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)  # put back at the end
    with collecting(Outputs()):
        begin: Any = threading.Thread.start

        def traced(thread: threading.Thread) -> None:
            begin(thread)

        threading.Thread.start = traced  # type: ignore[method-assign,assignment]
    assert threading.Thread.start is traced
    outputs = Outputs()
    with collecting(outputs):
        thread = threading.Thread(target=lambda: print("once"))
        thread.start()
        thread.join()
    assert threading.Thread.start is traced
    assert [item["text"] for item in outputs.items] == ["once\n"]


def test_a_stream_that_a_cell_puts_in_place_takes_what_later_cells_print(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    outputs, own = Outputs(), io.StringIO()
    with collecting(outputs):
        kept, sys.stdout = sys.stdout, own
    with collecting(outputs):
        print("kept by the notebook")
    with collecting(outputs):
        sys.stdout = kept
        print("shown")
    assert sys.stdout is out
    assert own.getvalue() == "kept by the notebook\n"
    assert [item["text"] for item in outputs.items] == ["shown\n"]
    with collecting(outputs):
        print("again")
    assert [item["text"] for item in outputs.items] == ["shown\nagain\n"]
    assert out.getvalue() == ""


def test_outputs_that_nobody_keeps_are_let_go() -> None:
    def collected() -> weakref.ref[Outputs]:
        outputs = Outputs()
        with collecting(outputs):
            print("much")
        return weakref.ref(outputs)

    kept = [collected() for _ in range(3)]
    gc.collect()
    assert [one() for one in kept] == [None, None, None]
