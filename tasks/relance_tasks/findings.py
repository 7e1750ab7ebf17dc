"""What was found out about an index, as Markdown for the Prefect UI."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from relance.analysis.anomalies import Anomalies
from relance.analysis.calibration import Calibration
from relance.analysis.classify import Classes
from relance.analysis.cluster import Clusters
from relance.analysis.duplicates import Duplicates
from relance.analysis.recommend import Recommendations
from relance_tasks.plain_text import escape

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


def clusters_markdown(found: Clusters, page: Path | None = None) -> str:
    """List clusters by size with terms and most central documents, and draw the map; `page` is the interactive one."""
    rows = ((each.size, ", ".join(each.terms) or each.label, round(each.cohesion, 3),
             "; ".join(central.title or central.uri for central in each.central[:3]))
            for each in found.clusters)  # fmt: skip
    table = rows_markdown(["size", "terms", "cohesion", "most central"], rows)
    parts = [_head(found.index, f"{len(found.labels):,} {found.level}"), table, _map(found)]
    parts[1:1] = [escape(found.shortfall)] if found.shortfall else []
    parts += [f"The interactive map is in {escape(str(page))} of the machine that ran the flow."] if page else []
    return "\n\n".join(part for part in parts if part)


def classes_markdown(found: Classes, measured: Calibration | None = None) -> str:
    """Count documents by label; `measured` tells how far that can be trusted."""
    counts = [*found.counts.items(), ("(unsure)", found.unsure)]
    rows = ((name, count, f"{count / max(1, found.total):.0%}") for name, count in counts)
    head = f"{_head(found.index, f'{found.total:,} classified')} Each one's label is in the table `{found.table}`."
    parts = [head, rows_markdown(["label", "documents", "share"], rows), *([_trusted(measured)] if measured else [])]
    return "\n\n".join(parts)


def anomalies_markdown(found: Anomalies) -> str:
    """List what is far from normal, with the reason."""
    told = _head(found.index, f"{found.count:,} of {found.scored:,} are far from normal")
    how = f"{found.method}: median {found.median:.3f}, threshold {found.threshold:.3f}"
    rows = ((each.uri, each.title, each.score, each.reason) for each in found.found[:_LISTED])
    return f"{told} ({how})\n\n{rows_markdown(['document', 'title', 'score', 'reason'], rows)}"


def duplicates_markdown(found: Duplicates) -> str:
    """List groups of like documents, each with the one that stands for it."""
    names = ["document", "says the same", "kind", "cosine", "text in common"]
    width = len(names) - (found.level == "media")
    rows = ((group.representative, each.uri, each.kind, each.similarity, f"{each.overlap:.0%}")[:width]
            for group in found.groups[:_LISTED] for each in group.members[1:])  # fmt: skip
    table = rows_markdown(names[:width], rows)
    return f"{_head(found.index, f'{len(found.groups):,} groups')}\n\n{table}"


def recommendations_markdown(found: Recommendations) -> str:
    """List what is recommended, with what it is like."""
    unknown = f"\n\nNot in the index: {escape(', '.join(found.unknown))}" if found.unknown else ""
    rows = ((each.title or each.uri, each.uri, each.score, each.because) for each in found.items)
    return rows_markdown(["recommended", "uri", "score", "because of"], rows) + unknown


def _trusted(measured: Calibration) -> str:
    right = f"Of {measured.documents:,} labelled documents {measured.accuracy:.1%} are classified rightly."
    if measured.min_margin is None:
        return f"{right} No margin is enough for {measured.target:.0%}."
    answered = f"answers {measured.coverage:.0%} of them, {measured.answered_accuracy:.0%} of it rightly"
    return f"{right} A margin of {measured.min_margin:.4f} {answered}."


def _map(found: Clusters) -> str:
    from relance.analysis.map_picture import map_picture

    if found.projection is None:
        return ""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "map.png"
        missing = map_picture(found, path, title=found.index)
        drawn = picture(path.read_bytes(), f"map of {found.index}")
    return f"{drawn}\n\n{escape(missing)}." if missing else drawn


def _head(index: str, told: str) -> str:
    return f"**{escape(index)}: {escape(told)}.**"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else escape(str(value))
