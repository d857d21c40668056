"""Adjustments: where they move a time."""

from __future__ import annotations

import datetime as dt
import pickle
from zoneinfo import ZoneInfo

import pytest

from flowbook.schedules import adjustments

PARIS = ZoneInfo("Europe/Paris")

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


def test_add_moves_either_way() -> None:
    time = dt.datetime(2026, 11, 22, 9, tzinfo=PARIS)
    assert adjustments.add(HOUR)(time).isoformat() == "2026-11-22T10:00:00+01:00"
    assert adjustments.add(-HOUR)(time).isoformat() == "2026-11-22T08:00:00+01:00"


def test_add_keeps_wall_time_from_a_day_on_and_time_that_passes_below() -> None:
    before = dt.datetime(2026, 3, 28, 9, tzinfo=PARIS)
    assert adjustments.add(DAY)(before).isoformat() == "2026-03-29T09:00:00+02:00"
    assert adjustments.add(DAY - HOUR)(before).isoformat() == "2026-03-29T09:00:00+02:00"
    assert adjustments.add(-DAY)(before + DAY).isoformat() == "2026-03-28T09:00:00+01:00"
    into_the_gap = adjustments.add(DAY)(dt.datetime(2026, 3, 28, 2, 30, tzinfo=PARIS))
    assert into_the_gap.isoformat() == "2026-03-29T03:00:00+02:00"


def test_next_weekday_moves_weekends_to_monday() -> None:
    moved = [adjustments.next_weekday(dt.datetime(2026, 11, day, 9, tzinfo=PARIS)).day for day in range(20, 24)]
    assert moved == [20, 23, 23, 23]
    over_the_turn = adjustments.next_weekday(dt.datetime(2026, 3, 28, 9, tzinfo=PARIS))
    assert over_the_turn.isoformat() == "2026-03-30T09:00:00+02:00"


def test_add_takes_a_timedelta() -> None:
    with pytest.raises(TypeError, match=r"add\(1\): give a timedelta, such as add\(timedelta\(hours=1\)\)"):
        adjustments.add(1)  # type: ignore[arg-type]


def test_adjustments_show_themselves_and_can_be_pickled() -> None:
    later = adjustments.add(HOUR)
    assert repr(later) == "add(datetime.timedelta(seconds=3600))"
    assert repr(adjustments.next_weekday) == "next_weekday"
    assert pickle.loads(pickle.dumps([later, adjustments.next_weekday])) == [later, adjustments.next_weekday]
