"""The command that draws a map of an index."""

from __future__ import annotations

from pathlib import Path

from relance.commands.cluster import draw
from relance.commands.options import DONE, AsJson, Spec
from relance.terminal import Terminal

__all__ = ["map"]


def map(spec: Spec, *, html: Path | None = None, png: Path | None = None, json: AsJson = False) -> int:  # noqa: A001
    """Draw a map of the index: what is alike lies together, and the clusters have names.

    It shows what the last `relance cluster` found; where there is nothing, or the index has changed since, all
    documents are clustered first.

    Parameters
    ----------
    html
        A page of its own, to hover over, zoom, filter and click through; map.html if no file is named.
    png
        A picture.
    """
    from relance.analysis.cluster import cluster, read_clusters
    from relance.index import Index

    terminal, index = Terminal(as_json=json), Index(spec)
    found = read_clusters(index)
    if found is None or not found.is_current(index):
        found = cluster(index)
    if html is None and png is None:
        html = Path("map.html")
    draw(terminal, index, found, html=html, png=png)
    if json:
        terminal.json({"html": str(html) if html else None, "png": str(png) if png else None, **found.as_dict()})
    return DONE
