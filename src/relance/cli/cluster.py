"""The command that tells which documents belong together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from relance.cli.options import DONE, HERE, As, AsJson, AsOwner, Level, Spec, index_as
from relance.cli.terminal import Terminal

if TYPE_CHECKING:
    from relance.analysis.cluster import Clusters
    from relance.index import Index

__all__ = ["cluster", "draw"]

_CENTRAL = 2


def cluster(  # noqa: PLR0913  # the options of a command
    spec: Spec = HERE,
    *,
    k: Annotated[int | None, Parameter(name=["-k", "--k"])] = None,
    method: Literal["kmeans", "hdbscan"] = "kmeans",
    level: Level = "documents",
    filter: str | None = None,  # noqa: A002  # its name on the command line
    where: str | None = None,
    sample: int = 20_000,
    projection: Literal["tsne", "pca", "umap", "none"] = "tsne",
    seed: int = 0,
    html: Path | None = None,
    png: Path | None = None,
    principals: As = None,
    as_owner: AsOwner = False,
    json: AsJson = False,
) -> int:
    """Group documents that are alike, and name each group by the terms that set it apart.

    Every document's cluster and place on the map are in the table INDEX__clusters.

    Parameters
    ----------
    k
        Number of clusters; found by silhouettes if it is not given.
    method
        kmeans, or hdbscan, which leaves outliers in no cluster.
    level
        Documents, chunks, or images and videos.
    filter
        Only what fulfils a condition such as year >= 2020 and lang = "en", as in `relance search`.
    where
        The same in SQL, on columns.
    sample
        Clusters are made from so many points; the others are assigned to them.
    projection
        How the map is made; none is faster where no map is wanted.
    seed
        Of every choice by chance; the same one gives the same clusters.
    html
        Draw the map into a page of its own.
    png
        Draw the map into a picture.
    """
    from relance.analysis.cluster import cluster

    terminal, index = Terminal(as_json=json), index_as(spec, principals, owner=as_owner)
    laid_out = None if projection == "none" else projection
    if laid_out is None and (html or png):
        from relance.errors import InputError

        msg = "a map needs a projection; leave --projection none out"
        raise InputError(msg)
    found = cluster(index, level=level, method=method, k=k, filter=filter, where=where, sample=sample,
                    seed=seed, projection=laid_out)  # fmt: skip
    if json:
        terminal.json(found.as_dict())
    else:
        _show(terminal, found)
    if found.shortfall:
        terminal.note(found.shortfall)
    draw(terminal, index, found, html=html, png=png)
    return DONE


def draw(terminal: Terminal, index: Index, found: Clusters, *, html: Path | None, png: Path | None) -> None:
    """Draw the map into the files that are named."""
    if html:
        from relance.analysis.map_page import write_page

        unlinked = write_page(index, found, html)
        terminal.note(f"wrote {html}; open it in a browser{unlinked and f'; {unlinked}'}")
    if png:
        from relance.analysis.map_picture import map_picture

        missing = map_picture(found, png)
        terminal.note(f"wrote {png}{missing and f'; {missing}'}")


def _show(terminal: Terminal, found: Clusters) -> None:
    how = f"{len(found.ids):,} {found.level} by {found.method}"
    if found.fitted < len(found.ids):
        how += f", made from {found.fitted:,}"
    if found.silhouette is not None:
        how += f", silhouette {found.silhouette:.2f}"
    table = Table(title=f"{found.index}: {how}", title_justify="left", title_style="bold")
    table.add_column("cluster", style="cyan")
    for name in ("size", "cohesion"):
        table.add_column(name, justify="right")
    table.add_column("most central")
    for each in found.clusters:
        names = dict.fromkeys(central.title or central.uri for central in each.central)
        titles = "\n".join(list(names)[:_CENTRAL])
        table.add_row(escape(each.label), f"{each.size:,}", f"{each.cohesion:.2f}", escape(titles))
    terminal.out.print(table, soft_wrap=False)
