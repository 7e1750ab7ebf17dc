"""What a person has to agree to before a run: much money, or much of the index gone."""

from __future__ import annotations

from dataclasses import dataclass

from relance.config.limits import LimitsSpec
from relance.pipeline.loss import Loss, loss_reason
from relance.pipeline.plan import Plan

__all__ = ["Preview", "approval_needed"]


@dataclass(slots=True, frozen=True)
class Preview:
    """What a run would do, and what of it a person has to approve (nothing: it may go on)."""

    plan: Plan
    reasons: list[str]


def approval_needed(plan: Plan, limits: LimitsSpec) -> list[str]:
    """Say what of a plan a person has to approve, as sentences that go on from "this run"."""
    reasons = [_of_cost(plan, limits.approve_above_usd), loss_reason(_planned(plan), "documents", limits)]
    if plan.media is not None:
        reasons.append(loss_reason(_planned(plan.media), "images and videos", limits))
    return [reason for reason in reasons if reason]


def _planned(plan: Plan) -> Loss:
    return Loss(plan.removed, plan.documents, plan.added + plan.changed)


def _of_cost(plan: Plan, limit: float | None) -> str | None:
    if limit is None:
        return None
    tokens = plan.tokens + (plan.media.tokens if plan.media else 0)
    limited = f"limits.approve_above_usd is ${limit:g}"
    if plan.total_usd is None:
        return f"would embed {tokens:,} tokens at an unknown price ({limited})" if tokens else None
    return f"would cost ${plan.total_usd:.4f} for {tokens:,} tokens ({limited})" if plan.total_usd > limit else None
