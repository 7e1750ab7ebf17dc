"""How long an index may go without a run, by its own schedule."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim

from relance.config.schedule import ScheduleSpec

__all__ = ["longest_pause_s"]

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_TIMES = 400  # a year of days: weekends and the days that have 25 hours are among them


def longest_pause_s(schedule: ScheduleSpec) -> float:
    """Return the seconds between two runs that are furthest apart; 0.0 for a date that never comes."""
    return _longest(schedule.cron, schedule.timezone) if schedule.cron else schedule.every_minutes * 60


@functools.lru_cache
def _longest(cron: str, timezone: str) -> float:
    times = islice(CronSim(cron, _EPOCH.astimezone(ZoneInfo(timezone))), _TIMES)
    moments = [time.astimezone(UTC) for time in times]
    return max(((then - now).total_seconds() for now, then in pairwise(moments)), default=0.0)
