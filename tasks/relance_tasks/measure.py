"""Measure how well indexes answer, and show it in the Prefect UI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefect import task
from prefect.artifacts import create_markdown_artifact

from relance.errors import MissingExtraError
from relance.evaluation import Comparison, Evaluation, TradeOff, compare, evaluate, read_dataset, trade_off
from relance.evaluation.judged import find_judged, offered
from relance.evaluation.measures import MEASURES, title_of
from relance.evaluation.tables import comparison_markdown, trade_off_markdown
from relance.index import Index
from relance.search import Mode
from relance_tasks.artifacts import key_of
from relance_tasks.retries import STAGE

__all__ = ["measure_dimensions", "measure_quality"]


@task(task_run_name="evaluate {indexes[0].spec.name}", **STAGE)
def measure_quality(indexes: Sequence[Index], dataset: Path, modes: Sequence[Mode]) -> Comparison:
    """Ask every index in every mode (none: all it can be searched by), compare them, publish tables and a picture."""
    questions = read_dataset(dataset)
    known = [find_judged(index, *questions) for index in indexes]
    asked = [(each.index, mode) for each in known for mode in offered(each, modes)]
    found = compare([evaluate(index, *questions, mode=mode) for index, mode in asked])
    best = next(each for each in found.systems if each.label == found.reference)
    told = f"{title_of(found.measure, found.k)} {getattr(best, found.measure):.3f}"
    if len(found.systems) > 1:
        told = f"{best.label}: {told}"
    parts = [comparison_markdown(found), _picture_of(found), _values(best)]
    _publish("evaluate", indexes[0].spec.name, parts, told)
    return found


@task(task_run_name="shorten {index.spec.name}", **STAGE)
def measure_dimensions(index: Index, dataset: Path) -> TradeOff:
    """Grade searches by shorter vectors, and publish the curve."""
    found = trade_off(index, *read_dataset(dataset))
    told = f"{len(found.steps)} lengths from {found.steps[0].dimension} to {found.steps[-1].dimension}"
    _publish("dimensions", index.spec.name, [trade_off_markdown(found), _picture_of(found)], told)
    return found


def _picture_of(found: Comparison | TradeOff) -> str:
    """Draw it where the extra for drawing is installed; the tables say as much."""
    from relance.evaluation.plot import comparison_png, trade_off_png
    from relance_tasks.findings import picture

    try:
        if isinstance(found, TradeOff):
            return picture(trade_off_png(found), f"measures of {found.index} over the length of vectors")
        return picture(comparison_png(found), "measures of every system with intervals")
    except MissingExtraError:
        return ""


def _values(best: Evaluation) -> str:
    """List the numbers a person follows from week to week."""
    rows = [f"| {name} | {getattr(best, name):.4f} |" for name in MEASURES]
    rows += [f"| queries | {best.queries:,} |", f"| table version | {best.table_version} |"]
    return "\n".join([f"| {best.mode} | {best.index} |", "|---|---|", *rows])


def _publish(kind: str, index: str, parts: Sequence[str], description: str) -> None:
    text = "\n\n".join([f"**{index}**", *(part for part in parts if part)])
    create_markdown_artifact(text, key=key_of(kind, index), description=description)
