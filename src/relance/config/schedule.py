"""When an index is brought in sync by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError
from pydantic import Field, ValidationInfo, field_validator

from relance.config.spec_model import SpecModel

__all__ = ["ScheduleSpec"]

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class ScheduleSpec(SpecModel, title="Schedule"):
    """When a deployed index is brought in sync: at times of a clock, or at an interval."""

    cron: str = Field(default="", title="Cron", examples=["0 3 * * *"])
    """Minute, hour, day of month, month, day of week: `0 3 * * *` is every night at three."""
    every_minutes: float = Field(default=0.0, title="Interval", ge=0, examples=[15])
    """Minutes between two runs, instead of `cron`."""
    timezone: str = Field(default="UTC", title="Time zone", validate_default=True)
    """Whose clock `cron` goes by, such as Europe/Paris."""

    @field_validator("cron")
    @classmethod
    def _cron_is_read(cls, cron: str) -> str:
        if not cron:
            return cron
        if len(cron.split()) != 5:
            msg = f"{cron!r} has {len(cron.split())} fields; expected five: minute hour day month weekday"
            raise ValueError(msg)
        try:
            CronSim(cron, _EPOCH)
        except CronSimError as error:
            msg = f"{cron!r} is no cron expression ({error}); '0 3 * * *' is every night at three"
            raise ValueError(msg) from None
        return cron

    @field_validator("every_minutes")
    @classmethod
    def _one_of_them(cls, every: float, info: ValidationInfo) -> float:
        if every and info.data.get("cron"):
            msg = "says when a second time; remove it or cron"
            raise ValueError(msg)
        return every

    @field_validator("timezone")
    @classmethod
    def _timezone_is_known(cls, name: str, info: ValidationInfo) -> str:
        if name != "UTC" and name not in available_timezones():
            msg = f"{name!r} is no time zone; examples are UTC, Europe/Paris, Asia/Shanghai"
            raise ValueError(msg)
        if (
            "cron" in info.data
            and "every_minutes" in info.data
            and not any(map(info.data.get, ("cron", "every_minutes")))
        ):
            msg = "is all there is; say when, with cron or every_minutes, or remove the section"
            raise ValueError(msg)
        return name
