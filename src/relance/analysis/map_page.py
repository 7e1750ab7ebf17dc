"""The map of an index as one HTML page that needs nothing else: no network, no file beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from relance.analysis.cluster import Clusters
from relance.analysis.legend import Mark, cut, legend
from relance.analysis.points import Described, Level, describe_points
from relance.errors import InputError

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["MOST_POINTS", "map_page", "security_policy", "write_page"]

Describe = Callable[["Index", Level, Sequence[str]], Mapping[str, Described]]
# What a browser draws in one frame, and a page of some 6 MB.
MOST_POINTS = 20_000
_TEXT = 220
_NAME, _UNNAMED = 200, 60
_MOST_SOURCES = 40
# In a page a closing tag or a comment would end the script element that holds the data, and old scripts end lines
# at two characters that JSON allows.
_ESCAPED = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}
_METHODS = {"kmeans": "k-means", "hdbscan": "HDBSCAN", "tsne": "t-SNE", "pca": "PCA", "umap": "UMAP"}


def write_page(index: Index, found: Clusters, path: Path) -> str:
    """Write the map to a file, with links to the files of documents; returns why there are none, or nothing."""
    from relance.analysis.file_links import FileLinks

    links = FileLinks(index.spec, path.parent)
    path.write_text(map_page(index, found, file_link=links.to), encoding="utf-8")
    return "it does not link to files, which lie too far away: write it near them" if links.too_far else ""


def map_page(index: Index, found: Clusters, *, link: Callable[[str], str] | None = None,
             file_link: Callable[[str], str] | None = None, describe: Describe = describe_points,
             most: int = MOST_POINTS) -> str:  # fmt: skip
    """Write a page to hover over, zoom, filter and click through; of more than `most` points it shows an even choice.

    Nothing of a document is run by it: texts are data, its policy allows its own script and no other, and an address
    is a link only if it is https, a path of the server that the page came from, or one relative to the page.

    Args:
        index: where titles and texts are read.
        found: its clusters, with a projection.
        link: gives the address that a document's title leads to; without it those that have an https address link
            to it, and others to what `file_link` gives, if anything.
        file_link: gives a relative, percent-encoded path.
        describe: gives title and text of points, by id.
        most: points that are shown.
    """
    import jinja2

    if np.isnan(found.positions).any():
        msg = "these clusters have no map; run `relance cluster` again with a projection"
        raise InputError(msg)
    shown = np.arange(len(found.ids))
    if len(shown) > most:
        shown = np.sort(np.random.default_rng(0).choice(len(shown), most, replace=False))
    marks = legend(found)

    def href(point: Described | None, uri: str) -> str:
        return link(uri) if link else _address(point, uri) or (file_link(uri) if file_link else "")

    title, about = f"Map of {found.index}", _about(found, len(shown))
    described = describe(index, found.level, [found.ids[at] for at in shown])
    data = _safe(_data(described, found, shown.tolist(), marks, href))
    template = jinja2.Environment(autoescape=True).from_string(_asset("map.html"))
    return template.render(
        title=title, about=about, policy=security_policy(), clusters=[mark.cluster for mark in marks],
        style=_trusted("map.css"), script=_trusted("map.js"), data=data,
    )  # fmt: skip


@cache
def security_policy() -> str:
    """Return the page's Content-Security-Policy, for a server to send, too: its own script and style, nothing else."""
    script, style = (
        base64.b64encode(hashlib.sha256(_asset(name).encode()).digest()).decode() for name in ("map.js", "map.css")
    )
    allowed = f"script-src 'sha256-{script}'; style-src 'sha256-{style}'; img-src data:"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


@cache
def _asset(name: str) -> str:
    return (files("relance") / "analysis" / "pages" / name).read_text(encoding="utf-8")


def _trusted(name: str) -> Any:
    """Return a script or style of our own, to be put into the page as it is."""
    from markupsafe import Markup

    return Markup(_asset(name))  # noqa: S704  # a file of this package


def _safe(data: dict[str, Any]) -> Any:
    """Write data as JSON that cannot leave its script element."""
    from markupsafe import Markup

    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPED)
    text = text.encode("utf-8", "replace").decode()  # half a character in a file name
    return Markup(text)  # noqa: S704  # escaped above


def _data(described: Mapping[str, Described], found: Clusters, shown: Sequence[int], marks: Sequence[Mark],
          href: Callable[[Described | None, str], str]) -> dict[str, Any]:  # fmt: skip
    points = [described.get(found.ids[at]) for at in shown]
    uris = [found.uris[at] for at in shown]
    names, source_of = _sources(uris)
    positions = found.positions[shown].round(4).astype(float)
    return {
        "level": found.level,
        "sources": names,
        "clusters": [
            {"id": mark.cluster.id, "label": mark.cluster.label, "short": mark.short, "colour": mark.colour,
             "shape": mark.shape, "x": mark.x, "y": mark.y}
            for mark in marks
        ],
        "points": {
            "x": [round(value, 4) for value in positions[:, 0].tolist()],
            "y": [round(value, 4) for value in positions[:, 1].tolist()],
            "cluster": found.labels[shown].tolist(), "source": source_of, "uri": uris,
            "title": [_title(point, found.level) for point in points],
            "text": [_snippet(point) for point in points],
            "href": [href(point, uri) for point, uri in zip(points, uris, strict=True)],
        },
    }  # fmt: skip


def _title(point: Described | None, level: Level) -> str:
    if point is None:
        return ""
    parts = point.heading_path[-1:] if level == "chunks" else []
    names = dict.fromkeys([*filter(None, [point.title]), *parts])
    return " › ".join(names)[:_NAME] or cut(_snippet(point), _UNNAMED)


def _snippet(point: Described | None) -> str:
    if point is None:
        return ""
    text, title = " ".join(point.text.split()).lstrip("# "), " ".join(point.title.split())
    text = text.removeprefix(title).lstrip(" .:#") if title else text  # it stands above
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1].rstrip()}…"


def _address(point: Described | None, uri: str) -> str:
    candidates = [point.url if point else "", uri]
    return next((each for each in candidates if re.match(r"https://[^\s]+$", each, re.IGNORECASE)), "")


def _sources(uris: Sequence[str]) -> tuple[list[str], list[int]]:
    """Name where documents come from: their site, table or folder, few enough to choose from; and which each is of."""
    paths = [_parents(uri) for uri in uris]
    depth = max((len(path) for path in paths), default=1)
    while depth > 1 and len({path[:depth] for path in paths}) > _MOST_SOURCES:
        depth -= 1
    cut = ["/".join(path[:depth]) for path in paths]
    names = [name for name, _ in Counter(cut).most_common(_MOST_SOURCES)]
    number = {name: at for at, name in enumerate(names)}
    return [name or "." for name in names], [number.get(name, -1) for name in cut]


def _parents(uri: str) -> tuple[str, ...]:
    site, separator, path = uri.partition("://")
    collection, row, _ = (path if separator else uri).rpartition("#")
    parts = (collection if row else path if separator else uri).split("/")
    parts = parts if row else parts[:-1]  # rows are of their table, documents of their folder
    return (f"{site}://{parts[0]}", *parts[1:]) if separator and parts else tuple(parts)


def _about(found: Clusters, shown: int) -> str:
    groups = sum(1 for each in found.clusters if each.id >= 0)
    some = f"{shown:,} of {len(found.ids):,}" if shown < len(found.ids) else f"{shown:,}"
    how = f"{_METHODS[found.method]}, laid out by {_METHODS[found.projection or 'tsne']}"
    return f"{some} {found.level} in {groups:,} {'cluster' if groups == 1 else 'clusters'} · {how}"
