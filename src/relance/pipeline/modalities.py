"""The parts of an index a run goes through: its texts, and its media if the spec declares any."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from relance.config import IndexSpec
from relance.embedding.budget import Budget
from relance.pipeline.report import Report
from relance.pipeline.run import Ingestion
from relance.pipeline.run_handle import RunHandle

__all__ = ["check_models", "combine", "modality_runs"]


def check_models(spec: IndexSpec) -> None:
    """Raise ConfigurationError for a model that cannot be used here: no such name, no key, a missing extra."""
    from relance.embedding.providers import open_provider

    open_provider(spec.embedding, spec.plugins)
    if spec.media is not None:
        from relance.media.loader import open_media_loader

        open_media_loader(spec.media, open_provider(spec.media.embedding, spec.plugins).info.media_rules, scale=False)


def modality_runs(spec: IndexSpec, *, full: bool = False, only: Sequence[str] = (), wait_s: float = 0.0,
                  read_only: bool = False, approved: bool = False,
                  handle: RunHandle | None = None) -> Iterator[Ingestion]:  # fmt: skip
    """Make the runs over the parts, one after the other; they share a run id and a budget.

    `approved`: a person has agreed to whatever they remove. Raises ConfigurationError for a wrong `media` section
    before the first, or the texts would be paid for by then.
    """
    kinds = [Ingestion]
    if spec.media is not None:
        from relance.pipeline.media import MediaIngestion

        check_models(spec)
        kinds.append(MediaIngestion)
    budget, run_id = Budget(spec.limits.max_cost_usd), uuid.uuid4().hex[:12]
    for kind in kinds:
        yield kind(spec, full=full, only=only, wait_s=wait_s, read_only=read_only, handle=handle, budget=budget,
                   run_id=run_id, approved=approved)  # fmt: skip


def combine(reports: list[Report]) -> Report:
    """Put the reports of the parts into one: the texts', with the media's inside."""
    first, *others = reports
    for media in others:
        first.include(media)
    return first
