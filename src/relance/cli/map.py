"""The command that draws a map of an index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from relance.cli.cluster import draw
from relance.cli.options import DONE, HERE, As, AsJson, AsOwner, Spec, index_as
from relance.cli.terminal import Terminal

if TYPE_CHECKING:
    from relance.analysis.cluster import Clusters

__all__ = ["map"]


def map(  # noqa: A001
    spec: Spec = HERE, *, html: Path | None = None, png: Path | None = None, principals: As = None,
    as_owner: AsOwner = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Draw a map of the index: documents that are alike lie close together, clusters have names.

    It shows what the last `relance cluster` found. Where the index has changed since, or that was found for others who
    see less, it is clustered again in the same way first; where nothing was found yet, by documents.

    Parameters
    ----------
    html
        A page of its own, to hover over, zoom, filter and click through; map.html if no file is named.
    png
        A picture.
    """
    from relance.analysis.cluster import cluster, cluster_again, read_clusters

    terminal, index = Terminal(as_json=json), index_as(spec, principals, owner=as_owner)
    last = read_clusters(index)
    if last is None:
        found = cluster(index)
    elif last.is_current(index):
        found = last
    else:
        if last.projection is None:
            why = "there was no map"
        elif last.is_of_version(index):
            why = "the last clusters are of others, who see less"
        else:
            why = "the index has changed"
        found = cluster_again(index, last)
        terminal.note(f"{why}: {found.level} were clustered again as before ({_asked(found)})")
    if html is None and png is None:
        html = Path("map.html")
    draw(terminal, index, found, html=html, png=png)
    if json:
        terminal.json({"html": str(html) if html else None, "png": str(png) if png else None, **found.as_dict()})
    return DONE


def _asked(found: Clusters) -> str:
    where = f", where {found.where}" if found.where else ""
    return f"{found.method}{'' if found.k is None else f', k {found.k}'}, seed {found.seed}{where}"
