"""The command that recommends documents to somebody with a history."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.markup import escape
from rich.text import Text

from relance.cli.options import DONE, HERE, As, AsJson, AsOwner, Spec, index_as
from relance.cli.terminal import Terminal

__all__ = ["recommend"]


def recommend(  # noqa: PLR0913  # options
    spec: Spec = HERE,
    *,
    liked: Annotated[list[str] | None, Parameter(negative="")] = None,
    disliked: Annotated[list[str] | None, Parameter(negative="")] = None,
    interest: Annotated[list[str] | None, Parameter(negative="")] = None,
    history: Path | None = None,
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 10,
    level: Literal["documents", "media"] = "documents",
    filter: str | None = None,  # noqa: A002  # its name on the command line
    where: str | None = None,
    diversity: float = 0.3,
    half_life: float = 90.0,
    principals: As = None,
    as_owner: AsOwner = False,
    json: AsJson = False,
) -> int:
    """Recommend documents or media that are like those a person liked.

    Parameters
    ----------
    liked
        Uri of a document that was liked; URI=2 counts twice. May be repeated, as the next two.
    disliked
        Uri of a document that was disliked.
    interest
        What somebody is interested in, in words.
    history
        A JSONL or CSV file with uri (or text), weight (or rating, 1 to 5), and when.
    k
        How many to recommend.
    level
        Documents, or images and videos.
    filter
        Condition on columns and metadata; see `relance search`.
    where
        SQL condition on columns.
    diversity
        0 takes the best, 1 what differs most from what was taken already.
    half_life
        Days after which an entry of the history counts half; 0: its age does not matter.
    """
    from relance.analysis.history import Liked, read_history
    from relance.analysis.recommend import recommend
    from relance.errors import InputError

    entries = read_history(history) if history else []
    entries += [Liked(uri=uri, weight=weight) for uri, weight in map(_weighted, liked or ())]
    entries += [Liked(uri=uri, weight=-weight) for uri, weight in map(_weighted, disliked or ())]
    entries += [Liked(text=text) for text in interest or ()]
    if not entries:
        msg = "there is no history; name documents with --liked, an --interest in words, or a --history file"
        raise InputError(msg)
    terminal = Terminal(as_json=json)
    index = index_as(spec, principals, owner=as_owner)
    found = recommend(index, entries, k=k, level=level, filter=filter, where=where, diversity=diversity,
                      half_life_days=half_life).as_dict()  # fmt: skip
    terminal.json(found) if json else _show(terminal, found)
    return DONE


def _weighted(argument: str) -> tuple[str, float]:
    """Split URI=WEIGHT; an equals sign that no number follows belongs to the uri."""
    uri, _, weight = argument.rpartition("=")
    try:
        return (uri, float(weight)) if uri else (argument, 1.0)
    except ValueError:
        return argument, 1.0


def _show(terminal: Terminal, found: dict[str, Any]) -> None:
    for uri in found["unknown"]:
        hint = found["hints"].get(uri)
        terminal.note(f"{uri} is not in the index" + (f"; {hint}" if hint else ""))
    if not found["items"]:
        terminal.out.print("nothing to recommend")
    for rank, item in enumerate(found["items"], start=1):
        name = item["url"] or item["uri"]
        title = escape(item["title"])
        terminal.out.print(f"[bold]{rank}. {escape(name)}[/]  [dim]{item['score']:.3f}[/]  {title}")
        text = Text(" ".join(item["text"].split()))
        text.truncate(200, overflow="ellipsis")
        terminal.out.print(Text("   ") + text)
        terminal.out.print(f"   [dim]because of {escape(item['because'])} ({item['similarity']:.3f})[/]")
