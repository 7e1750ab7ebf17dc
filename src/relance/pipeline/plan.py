"""The change plan: what a run would do and cost, before anything is spent."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from relance.counted import counted
from relance.errors import BudgetError, ConfigurationError
from relance.pipeline.changes import PlannedChange
from relance.pipeline.reasons import by_reason
from relance.store.failures import Failure

__all__ = ["Plan", "Preview", "check_budget"]


@dataclass(slots=True)
class Plan:
    """The documents a run would touch, and the tokens, requests and money it would need.

    Attributes:
        documents: that readers find now.
        removed: of those; under another model, all that the new table would not get.
        chunks: chunks of added and changed documents; `reused` of them have a vector already.
        tokens: to be billed, counted exactly by the model's tokenizer (of media: roughly).
        guessed: images and videos at addresses that no run has asked: each is counted as a new one of the usual size,
            so that `tokens`, `requests` and `cost_usd` are what the run needs at most, but for larger ones.
        free_tokens: how many of them are still covered by `embedding.free_tokens`.
        cost_usd: of the others; None where no price is known.
        priced_on: when that price was read from the vendor's pages, as 2026-11-28; empty where the spec says it.
        warned: documents that would be indexed, but not whole or by a guess; `warnings` say what of them.
        ignored: what the sources have and the index has not, on purpose, by reason: as in `Report`.
        notes: sentences about the sources, such as that one has nothing.
        changes: the documents that are added, changed and removed, by reason, with the first uris of each.
    """

    index: str
    documents: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: int = 0
    chunks: int = 0
    reused: int = 0
    tokens: int = 0
    requests: int = 0
    guessed: int = 0
    free_tokens: int = 0
    cost_usd: float | None = 0.0
    priced_on: str = ""
    rebuild: bool = False
    failures: list[Failure] = field(default_factory=list)
    warned: int = 0
    warnings: list[Failure] = field(default_factory=list)
    ignored: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    changes: list[PlannedChange] = field(default_factory=list)
    media: Plan | None = None

    @property
    def in_sync(self) -> bool:
        """Whether a run would change no document, of the texts and of the media."""
        return not self.changes and (self.media is None or self.media.in_sync)

    @property
    def total_usd(self) -> float | None:
        """Dollars for texts and media together; None where a price is not known."""
        costs = [plan.cost_usd for plan in (self, self.media) if plan is not None]
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    def _repr_html_(self) -> str:
        """Show the plan in a notebook."""
        from relance.pipeline.run_card import plan_card

        return plan_card(self)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values; `reasons` are those of `failures` and `warnings`, as in `reasons.Reason`."""
        values = asdict(replace(self, media=None))
        values["reasons"] = [asdict(each) for each in by_reason([*self.failures, *self.warnings])]
        del values["media"]
        return values if self.media is None else values | {"media": self.media.as_dict()}


@dataclass(slots=True, frozen=True)
class Preview:
    """What a run would do, and what of it a person has to approve (nothing: it may go on)."""

    plan: Plan
    reasons: list[str]


def check_budget(plan: Plan, limit: float | None) -> None:
    """Raise BudgetError if the plan needs more than `limit` dollars."""
    if limit is None:
        return
    total = plan.total_usd
    if total is None:
        section = "embedding" if plan.cost_usd is None else "media.embedding"
        msg = f"limits.max_cost_usd is set, but the model's price is not known; set {section}.price_per_million_tokens"
        raise ConfigurationError(msg)
    if total > limit:
        tokens = plan.tokens + (plan.media.tokens if plan.media else 0)
        guessed = plan.media.guessed if plan.media else plan.guessed
        upto = "up to " if guessed else ""
        why = f" ({guessed:,} pictures are at addresses that nobody has asked yet)" if guessed else ""
        msg = (
            f"this run needs {upto}${total:.4f} for {counted(tokens, 'token')}{why}, limits.max_cost_usd is "
            f"${limit:g}; nothing was spent. Raise the limit, or index less"
        )
        raise BudgetError(msg)
