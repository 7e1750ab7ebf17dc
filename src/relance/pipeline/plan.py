"""The change plan: what a run would do and cost, before anything is spent."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from relance.embedding.budget import cost_usd
from relance.errors import BudgetError, ConfigurationError, StoppedError
from relance.store.failures import Failure

if TYPE_CHECKING:
    from relance.pipeline.run import Ingestion

__all__ = ["Plan", "check_budget", "make_plan", "outline"]


@dataclass(slots=True)
class Plan:
    """The documents a run would touch, and the tokens, requests and money it would need.

    Attributes:
        documents: that readers find now.
        removed: of those; under another model, all that the new table would not get.
        chunks: chunks of added and changed documents; `reused` of them have a vector already.
        tokens: to be billed, counted exactly by the model's tokenizer (of media: roughly).
        free_tokens: how many of them are still covered by `embedding.free_tokens`.
        cost_usd: of the others; None where no price is known.
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
    free_tokens: int = 0
    cost_usd: float | None = 0.0
    rebuild: bool = False
    failures: list[Failure] = field(default_factory=list)
    media: Plan | None = None

    @property
    def total_usd(self) -> float | None:
        """Dollars for texts and media together; None where a price is not known."""
        costs = [plan.cost_usd for plan in (self, self.media) if plan is not None]
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        values = asdict(replace(self, media=None))
        del values["media"]
        return values if self.media is None else values | {"media": self.media.as_dict()}


def outline(run: Ingestion) -> Plan:
    """Compare the sources with the index without reading a document: nothing is counted or priced.

    `changed` are those that may have changed. Of an index that is not there yet nothing is told: it has nothing to
    lose, and listing may take long where documents are asked for their pictures.
    """
    if run.tables.alias is None:
        return Plan(index=run.spec.name, cost_usd=None)
    discovery = run.discover()
    _check_stop(run)
    loss = run.loss()
    known = sum(candidate.known for batch in discovery.read() for candidate in batch)
    return Plan(
        index=run.spec.name, documents=loss.documents, removed=loss.removed, unchanged=discovery.unchanged,
        added=discovery.candidates - known, changed=known, cost_usd=None,
        failed=run.report.failed, failures=run.report.failures,
    )  # fmt: skip


def make_plan(run: Ingestion) -> Plan:
    """Read and split everything that changed, and look up which vectors are there; nothing is written."""
    from relance.embedding.dispatch import load_of, pack
    from relance.embedding.embedder import vector_key

    run.discover()
    info, loss = run.provider.info, run.loss()
    plan = Plan(index=run.spec.name, documents=loss.documents, removed=loss.removed)
    alias = run.tables.alias
    plan.rebuild = alias is not None and alias["table"] != run.tables.name
    embedding = run.embedding
    max_texts = embedding.batch_texts or info.batch_texts
    max_tokens, most = embedding.batch_tokens or info.batch_tokens, info.media_per_request
    paid: set[str] = set()
    for batch in run.batches():
        run.chunk(run.load(batch))
        known = set(batch.known)
        changed = sum(document.id in known for document in batch.documents)
        plan.changed += changed
        plan.added += len(batch.documents) - changed
        plan.unchanged += len(batch.touched)
        texts, tokens = run.inputs(batch)
        keys = [vector_key(info.space, "document", text) for text in texts]
        there = run.vectors.contains(keys)
        counts = (run.provider.tokenizer.count(texts) if tokens is None else tokens) + (
            0 if run.media else info.tokens_per_text
        )
        fresh: dict[str, int] = {}
        loads = []
        for key, known, count, text in zip(keys, there, counts, texts, strict=True):
            if not known and key not in paid and key not in fresh:
                fresh[key] = int(count)
                loads.append(load_of(text))
        paid.update(fresh)
        plan.chunks += len(texts)
        plan.reused += len(texts) - len(fresh)
        plan.tokens += sum(fresh.values())
        sizes = np.array(list(fresh.values()), dtype=np.int64)
        plan.requests += sum(1 for _ in pack(sizes, max_texts=max_texts, max_tokens=max_tokens, loads=loads, most=most))
        batch.release()
    _check_stop(run)
    plan.unchanged += run.report.unchanged
    plan.failed, plan.failures = run.report.failed, run.report.failures
    price = info.price_per_million_tokens
    plan.free_tokens = min(run.quota.left(), plan.tokens)
    if embedding.batched:
        from relance.embedding.batch_api import LEAST_TEXTS, open_endpoint

        endpoint = open_endpoint(embedding)
        if len(paid) >= LEAST_TEXTS:  # free quotas are not for batches
            price, plan.free_tokens = endpoint.price, 0
    plan.cost_usd = cost_usd(plan.tokens, price, free=plan.free_tokens)
    return plan


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
        msg = (
            f"this run needs ${total:.4f} for {tokens:,} tokens, limits.max_cost_usd is ${limit:g}; "
            "nothing was spent. Raise the limit, or index less"
        )
        raise BudgetError(msg)


def _check_stop(run: Ingestion) -> None:
    if run.handle.stop.is_set():
        msg = "planning was stopped"
        raise StoppedError(msg)
