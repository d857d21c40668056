"""Real interrupts at random moments: whatever was going on, the run is cancelled cleanly."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from flowbook.engine.interrupts import Interruption

ROUNDS = 50
PROGRAM = "tests.engine.interrupted"


@pytest.mark.parametrize("executor", ["local", "threads"])
def test_fifty_interrupts_at_random_moments_each_leave_a_clean_cancel(executor: str) -> None:
    dice = random.Random(executor)
    child = subprocess.Popen(
        [sys.executable, "-m", PROGRAM, executor, str(ROUNDS)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told: Counter[str] = Counter()
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        for line in child.stdout:
            words = line.strip()
            if words == "go":
                time.sleep(dice.random() * 0.03)
                child.send_signal(signal.SIGINT)
            elif " | " not in words:  # else a line of the log
                told[words] += 1
        trouble = child.stderr.read()
    finally:
        child.kill()
        child.communicate()
    assert trouble == ""
    assert set(told) <= {"fine", "early"}, told
    assert told["fine"] >= ROUNDS * 2 // 3, told
    assert sum(told.values()) == ROUNDS


def test_a_body_is_only_stopped_while_the_run_listens() -> None:
    state = Interruption()
    state.in_body = True
    state.stop_body()  # a signal would be stray: it would raise KeyboardInterrupt here
    assert not state.stopping
    state.is_listening = True
    with pytest.raises(KeyboardInterrupt):
        _stop(state)
    assert state.stopping


def _stop(state: Interruption) -> None:
    state.stop_body()
    time.sleep(1)


def test_a_run_that_ends_waits_for_the_signal_that_is_on_its_way() -> None:
    state = Interruption()
    state.is_listening = state.stopping = True

    def arrive() -> None:
        state.stopping = False

    timer = threading.Timer(0.1, arrive)
    timer.start()
    begun = time.monotonic()
    state.stop_listening()
    timer.join()
    assert 0.05 < time.monotonic() - begun < 0.4
    assert not state.is_listening
