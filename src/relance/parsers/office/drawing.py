"""What drawings say, in all three formats: text of shapes, charts as tables, diagrams."""

from __future__ import annotations

import re
from collections.abc import Iterator

from relance.parsers.office.markdown_writer import MarkdownWriter
from relance.parsers.office.math_text import math_text
from relance.parsers.office.package import Part
from relance.parsers.office.xml import Element, local

__all__ = ["CHART", "alt_text", "paragraph_text", "write_chart", "write_diagram"]

CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = f"{{{CHART}}}"
_FILE = re.compile(r"\S+\.(?:png|jpe?g|gif|bmp|tiff?|emf|wmf|svg|webp)", re.IGNORECASE)
_MADE = re.compile(
    r"\s*(?:AI-generated content may be incorrect\.?|Description automatically generated.*)\s*$", re.DOTALL
)
# More points are data for a machine: the text says how many there are.
_POINTS = 2_000


def alt_text(properties: Element | None) -> str:
    """Return what the author says a picture shows; a mere file name and a program's own remark are none."""
    if properties is None:
        return ""
    text = _MADE.sub("", properties.get("descr") or properties.get("title") or "").strip()
    return "" if _FILE.fullmatch(text) else " ".join(text.split())


def paragraph_text(paragraph: Element, *, furniture: bool = False) -> str:
    """Join the runs of a paragraph of a drawing; slide numbers and dates only with `furniture`."""
    pieces = []
    for run in paragraph.iterchildren():
        name = local(run)
        if name == "br":
            pieces.append("\n")
        elif (
            name == "fld" and not furniture and (run.get("type", "") == "slidenum" or "datetime" in run.get("type", ""))
        ):
            continue
        elif name in {"r", "fld"}:
            pieces += [text.text or "" for text in run.iterchildren(f"{_A}t")]
        elif name in {"AlternateContent", "m", "oMath", "oMathPara"}:
            choice = next(run.iterchildren("{*}Choice"), run)
            pieces.append(math_text(choice))
    return "".join(pieces).replace("\v", "\n")


def write_diagram(part: Part, writer: MarkdownWriter) -> None:
    """Write the points of a diagram (SmartArt) as a list."""
    for point in part.root().iter("{*}pt"):
        if point.get("type", "node") in {"node", "asst"}:
            for paragraph in point.iter(f"{_A}p"):
                if text := paragraph_text(paragraph).strip():
                    writer.item("-", text, 0)


def write_chart(part: Part, writer: MarkdownWriter) -> None:
    """Write the title, the titles of the axes, and the points of a chart as a table."""
    root = part.root()
    texts = [
        "".join(paragraph_text(p) for p in title.iter(f"{_A}p")) or _cached(title) for title in root.iter("{*}title")
    ]
    if titles := [" ".join(text.split()) for text in texts if text.strip()]:
        writer.paragraph(" · ".join(titles))
    plots = root.iter(f"{_C}ser")
    series = [(_cached(next(each.iterchildren(f"{_C}tx"), None)), each) for each in plots]
    if not series:  # charts of Office 2016, which are another format
        words = ["".join(text.itertext()).strip() for text in root.iter("{*}v", "{*}pt")]
        if words := list(dict.fromkeys(filter(None, words))):
            writer.paragraph(" · ".join(words[:_POINTS]))
        return
    rows: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for column, (_, each) in enumerate(series):
        kinds = ((local(child), child) for child in each.iterchildren())
        points = {
            kind: dict(_points(child)) for kind, child in kinds if kind in {"cat", "val", "xVal", "yVal", "bubbleSize"}
        }
        labels = points.get("cat") or points.get("xVal") or {}
        values = points.get("val") or points.get("yVal") or {}
        for at in sorted({*labels, *values}, key=lambda index: (len(index), index))[:_POINTS]:
            # Series of a scatter chart have x values of their own.
            key = f"{column}/{at}" if "xVal" in points else at
            names.setdefault(key, labels.get(at, ""))
            row = rows.setdefault(key, [""] * len(series) if len(rows) * len(series) < 100 * _POINTS else [])
            if row:
                row[column] = values.get(at, "")
    writer.table([["", *(name for name, _ in series)], *([names[key], *row] for key, row in rows.items())])


def _points(element: Element) -> Iterator[tuple[str, str]]:
    levels = [*element.iter(f"{_C}lvl")] or [element]
    for point in levels[0].iter(f"{_C}pt"):
        yield point.get("idx", ""), " ".join("".join(v.text or "" for v in point.iterchildren(f"{_C}v")).split())


def _cached(element: Element | None) -> str:
    if element is None:
        return ""
    return " ".join("".join(value.text or "" for value in element.iter(f"{_C}v")).split())
