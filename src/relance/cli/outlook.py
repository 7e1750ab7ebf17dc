"""What a new index will be of: documents by type, and what they come to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from relance.documents import Item
from relance.errors import RelanceError

__all__ = ["outlook"]

_KINDS = 5
_PLANNED = 1000  # documents: to read and split more takes longer than one wants to wait here


def outlook(target: Path) -> list[str]:
    """Say what documents there are for an index file, and how many chunks, tokens and dollars they come to."""
    from relance.config.load import load_spec
    from relance.index import Index
    from relance.pipeline.text_reader import open_text_reader
    from relance.store.doctor import counted

    spec = load_spec(target)
    items = (item for place in range(len(spec.sources)) for item in open_text_reader(spec, place).list())
    kinds = Counter(item.media_type for item in items if isinstance(item, Item))
    if not kinds:
        return ["found  no document"]
    shown = [f"{count:,} {kind}" for kind, count in kinds.most_common(_KINDS)]
    if left := sum(kinds.values()) - sum(count for _, count in kinds.most_common(_KINDS)):
        shown.append(f"{left:,} of other types")
    total = sum(kinds.values())
    lines = [f"found  {counted(total, 'file')}: {', '.join(shown)}"]
    if total > _PLANNED:
        return lines
    try:
        plan = Index(spec).plan(listed=0)
    except RelanceError as error:  # the files are written all the same
        return [*lines, f"plan   not yet: {error}"]
    cost = "at a price nobody knows" if plan.total_usd is None else f"${plan.total_usd:.4f}"
    failed = f"; {plan.failed:,} cannot be read (relance plan says why)" if plan.failed else ""
    amounts = ((plan.added, "document"), (plan.chunks, "chunk"), (plan.tokens, "token"))
    said = ", ".join([*(counted(*each) for each in amounts), cost])
    return [*lines, f"plan   {said} by {spec.embedding.model}{failed}"]
