"""The command that finds documents unlike the others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.markup import escape
from rich.text import Text

from relance.cli.options import DONE, HERE, As, AsJson, AsOwner, Level, Spec, index_as, without_effect
from relance.cli.terminal import Terminal

__all__ = ["anomalies"]


def anomalies(  # noqa: PLR0913  # options
    spec: Spec = HERE,
    *,
    text: Annotated[list[str] | None, Parameter(negative="")] = None,
    reference: Path | None = None,
    reference_filter: str | None = None,
    reference_where: str | None = None,
    method: Literal["auto", "centroid", "knn", "lof"] = "auto",
    neighbours: int = 5,
    tolerance: float = 3.5,
    sample: int = 5_000,
    level: Level = "documents",
    filter: str | None = None,  # noqa: A002  # its name on the command line
    where: str | None = None,
    limit: int | None = None,
    principals: As = None,
    as_owner: AsOwner = False,
    json: AsJson = False,
) -> int:
    """Find documents that are unlike the others, most unusual first, with the nearest usual ones.

    Parameters
    ----------
    text
        Look at this text instead of the index. May be repeated.
    reference
        Another index, of the same model, that says what is normal.
    reference_filter
        Only documents that fulfil this condition are normal, such as year < 2020; as in `relance search`.
    reference_where
        The same in SQL, on columns.
    method
        Distance from the centre (centroid), from the nearest neighbours (knn, which is auto), or compared with how
        near those are to each other (lof).
    neighbours
        How many neighbours are looked at.
    tolerance
        Scaled median absolute deviations over the median score that are too far; fewer find more.
    sample
        At most so many documents say what is normal.
    level
        What is looked at: documents, chunks or media.
    filter
        Only documents that fulfil this condition are looked at.
    where
        The same in SQL, on columns.
    limit
        Anomalies to show (20).
    """
    from relance.analysis.anomalies import check_texts, find_anomalies
    from relance.errors import InputError

    if text:
        idle = {"--filter": filter, "--where": where, "--limit": limit}
        without_effect(idle, "with --text, because nothing of the index is looked at")
    index, terminal = index_as(spec, principals, owner=as_owner), Terminal(as_json=json)
    asked: dict[str, Any] = {"method": method, "neighbours": neighbours, "tolerance": tolerance, "sample": sample}
    if text:
        if reference:
            msg = "--text is compared with the index it is given with; name that one instead of a --reference"
            raise InputError(msg)
        asked |= {"filter": reference_filter, "where": reference_where}
        checked = [each.as_dict() for each in check_texts(index, text, level=level, **asked)]
        terminal.json({"texts": checked}) if json else _show(terminal, checked)
        return DONE
    other = index_as(Path(reference), principals, owner=as_owner) if reference else None
    done = find_anomalies(index, level=level, filter=filter, where=where, reference=other,
                          reference_filter=reference_filter, reference_where=reference_where,
                          limit=20 if limit is None else limit, **asked).as_dict()  # fmt: skip
    if json:
        terminal.json(done)
        return DONE
    _show(terminal, done["found"])
    terminal.out.print(
        f"{done['count']:,} of {done['scored']:,} {level} are over {done['threshold']:.3f} ({done['method']}; "
        f"{done['median']:.3f} is usual among {done['reference']:,})"
    )
    terminal.note(f"the score of each is in table {done['table']}")
    return DONE


def _show(terminal: Terminal, found: list[dict[str, Any]]) -> None:
    for rank, each in enumerate(found, start=1):
        name = each["uri"] or " ".join(each["text"].split())[:80]
        word = "" if each["uri"] else "  [red]anomaly[/]" if each["anomalous"] else "  [green]normal[/]"
        terminal.out.print(f"[bold]{rank}. {escape(name)}[/]  [dim]{each['score']:.3f}[/]{word}")
        if each["uri"]:
            text = Text(" ".join(each["text"].split()))
            text.truncate(200, overflow="ellipsis")
            terminal.out.print(Text("   ") + text)
        near = ", ".join(f"{each['uri']} ({each['similarity']:.3f})" for each in each["nearest"])
        terminal.out.print(f"   [dim]nearest: {escape(near)}[/]")
