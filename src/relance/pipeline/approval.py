"""What a person has to agree to before a run: much money, or much of the index gone."""

from __future__ import annotations

from relance.config.limits import LimitsSpec
from relance.counted import counted
from relance.pipeline.loss import Loss, loss_reason
from relance.pipeline.plan import Plan, Preview

__all__ = ["approval_needed", "within"]


def approval_needed(plan: Plan, limits: LimitsSpec) -> list[str]:
    """Say what of a plan a person has to approve, as sentences that go on from "this run"."""
    reasons = [_of_cost(plan, limits.approve_above_usd), loss_reason(_planned(plan), "documents", limits)]
    if plan.media is not None:
        reasons.append(loss_reason(_planned(plan.media), "images and videos", limits))
    return [reason for reason in reasons if reason]


def within(preview: Preview, agreed: Preview | None) -> bool:
    """Say whether a run that was looked at again costs and removes no more than what a person has agreed to."""
    if agreed is None:
        return False
    parts = [(preview.plan, agreed.plan)]
    if preview.plan.media is not None and agreed.plan.media is not None:
        parts.append((preview.plan.media, agreed.plan.media))
    return all(new.removed <= old.removed and new.tokens <= old.tokens for new, old in parts)


def _planned(plan: Plan) -> Loss:
    return Loss(plan.removed, plan.documents, plan.added + plan.changed)


def _of_cost(plan: Plan, limit: float | None) -> str | None:
    if limit is None:
        return None
    tokens = plan.tokens + (plan.media.tokens if plan.media else 0)
    limited = f"limits.approve_above_usd is ${limit:g}"
    if plan.total_usd is None:
        return f"would embed {counted(tokens, 'token')} at an unknown price ({limited})" if tokens else None
    return (
        f"would cost ${plan.total_usd:.4f} for {counted(tokens, 'token')} ({limited})"
        if plan.total_usd > limit
        else None
    )
