"""The command that finds documents that say the same."""

from __future__ import annotations

from rich.markup import escape

from relance.cli.options import DONE, HERE, As, AsJson, AsOwner, Level, Spec, index_as
from relance.cli.terminal import Terminal

__all__ = ["duplicates"]


def duplicates(  # noqa: PLR0913  # options
    spec: Spec = HERE,
    *,
    similarity: float = 0.95,
    overlap: float = 0.7,
    level: Level = "documents",
    filter: str | None = None,  # noqa: A002  # its name on the command line
    where: str | None = None,
    limit: int = 20,
    principals: As = None,
    as_owner: AsOwner = False,
    json: AsJson = False,
) -> int:
    """Find documents with the same content, in the same words or nearly.

    Parameters
    ----------
    similarity
        Cosine two documents need.
    overlap
        Share of common text they need besides, 0 to 1; with 0 the same meaning is enough.
    level
        What is compared: documents, chunks or media.
    filter
        Only what fulfils a condition such as year >= 2020 is compared; as in `relance search`.
    where
        The same in SQL, on columns.
    limit
        Groups to show.
    """
    from relance.analysis.duplicates import find_duplicates

    terminal, index = Terminal(as_json=json), index_as(spec, principals, owner=as_owner)
    done = find_duplicates(index, level=level, filter=filter, where=where, similarity=similarity,
                           overlap=overlap).as_dict()  # fmt: skip
    if json:
        terminal.json(done)
        return DONE
    for group in done["groups"][:limit]:
        terminal.out.print(f"[bold]{escape(group['representative'])}[/]")
        for each in group["members"][1:]:
            like = f"{each['kind']}, cosine {each['similarity']:.3f}"
            if level != "media":
                like += f", {each['overlap']:.0%} of the text in common"
            terminal.out.print(f"   {escape(each['uri'])}  [dim]{like}[/]")
    if len(done["groups"]) > limit:
        terminal.out.print(f"… and {len(done['groups']) - limit:,} more groups")
    terminal.out.print(f"{done['redundant']:,} of {done['compared']:,} {level} say what others say")
    terminal.note(f"the groups are in table {done['table']}")
    return DONE
