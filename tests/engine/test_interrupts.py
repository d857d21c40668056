"""Real interrupts at random moments: whatever was going on, the run is cancelled cleanly."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

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
