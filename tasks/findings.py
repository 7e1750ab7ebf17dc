"""What was found out about an index, as Markdown for the Prefect UI."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from relance.analysis.anomalies import Anomalies
from relance.analysis.classify import Classes
from relance.analysis.cluster import Clusters
from relance.analysis.duplicates import Duplicates
from relance.analysis.recommend import Recommendations
from tasks.artifacts import escape

__all__ = [
    "anomalies_markdown",
    "classes_markdown",
    "clusters_markdown",
    "duplicates_markdown",
    "picture",
    "recommendations_markdown",
    "rows_markdown",
]

_LISTED = 100  # an artifact is shown whole; the table beside the index has the rest


def rows_markdown(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table; numbers are rounded, texts are taken literally."""
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join(lines + ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows])


def picture(png: bytes, alt: str) -> str:
    """Embed a picture: the UI shows data addresses, and has no place to keep files."""
    return f"![{escape(alt)}](data:image/png;base64,{base64.b64encode(png).decode()})"


def clusters_markdown(found: Clusters) -> str:
    """List clusters by size with terms and most central documents, and draw the map."""
    rows = ((each.size, each.label, ", ".join(each.terms), round(each.cohesion, 3),
             "; ".join(central.title or central.uri for central in each.central[:3]))
            for each in found.clusters)  # fmt: skip
    table = rows_markdown(["size", "label", "terms", "cohesion", "most central"], rows)
    return f"{_head(found.index, f'{len(found.labels):,} {found.level}')}\n\n{table}\n\n{_map(found)}"


def classes_markdown(found: Classes) -> str:
    """Count documents by label."""
    counts = [*sorted(found.counts.items(), key=lambda each: -each[1]), ("(unsure)", found.unsure)]
    rows = ((name, count, f"{count / max(1, found.total):.0%}") for name, count in counts)
    head = f"{_head(found.index, f'{found.total:,} classified')} Each one's label is in the table `{found.table}`."
    return f"{head}\n\n{rows_markdown(['label', 'documents', 'share'], rows)}"


def anomalies_markdown(found: Anomalies) -> str:
    """List what is far from normal, with the reason."""
    told = _head(found.index, f"{found.count:,} of {found.scored:,} are far from normal")
    how = f"{found.method}: median {found.median:.3f}, threshold {found.threshold:.3f}"
    rows = ((each.uri, each.title, each.score, each.reason) for each in found.found[:_LISTED])
    return f"{told} ({how})\n\n{rows_markdown(['document', 'title', 'score', 'reason'], rows)}"


def duplicates_markdown(found: Duplicates) -> str:
    """List groups of like documents, each with the one that stands for it."""
    rows = ((group.representative, each.uri, each.kind, each.similarity, each.overlap)
            for group in found.groups[:_LISTED] for each in group.members)  # fmt: skip
    table = rows_markdown(["document", "says the same", "kind", "cosine", "words shared"], rows)
    return f"{_head(found.index, f'{len(found.groups):,} groups')}\n\n{table}"


def recommendations_markdown(found: Recommendations) -> str:
    """List what is recommended, with what it is like."""
    unknown = f"\n\nNot in the index: {escape(', '.join(found.unknown))}" if found.unknown else ""
    rows = ((each.title or each.uri, each.uri, each.score, each.because) for each in found.items)
    return rows_markdown(["recommended", "uri", "score", "because of"], rows) + unknown


def _map(found: Clusters) -> str:
    from relance.analysis.map_picture import map_picture

    if found.projection is None:
        return ""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "map.png"
        map_picture(found, path, title=found.index)
        return picture(path.read_bytes(), f"map of {found.index}")


def _head(index: str, told: str) -> str:
    return f"**{escape(index)}: {escape(told)}.**"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else escape(str(value))
