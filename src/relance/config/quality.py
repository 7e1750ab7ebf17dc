"""What incoming documents have to be like."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from relance.config.spec_model import SpecModel

__all__ = ["QualitySpec"]


class QualitySpec(SpecModel, title="Quality"):
    """What incoming documents have to be like."""

    anomalies: Literal["off", "warn", "refuse"] = Field(default="off", title="Anomalies")
    """What becomes of new and changed documents that are far from what the index holds: nothing, a note in the report,
    or a failure each. Begins when the index holds 50 documents."""
    tolerance: float = Field(default=3.5, title="Tolerance", gt=0)
    """How far is too far: scaled median absolute deviations over the usual distance to the nearest neighbours."""
    sample: int = Field(default=2000, title="Sample", ge=50, le=100_000)
    """At most so many documents of the index, chosen at random once a run, say what it holds."""

    @field_validator("anomalies", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: Any) -> Any:
        return "off" if value is False else value  # YAML reads a bare `off` as false
