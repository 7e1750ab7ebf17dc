"""The command that labels documents with classes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from relance.cli.options import DONE, HERE, As, AsJson, AsOwner, Level, Spec, index_as, without_effect
from relance.cli.terminal import Terminal

__all__ = ["classify"]

_SHOWN = 10


def classify(  # noqa: PLR0913  # options
    spec: Spec = HERE,
    *,
    label: Annotated[list[str] | None, Parameter(negative="")] = None,
    labels: Path | None = None,
    text: Annotated[list[str] | None, Parameter(negative="")] = None,
    labelled: Path | None = None,
    level: Level = "documents",
    filter: str | None = None,  # noqa: A002  # its name on the command line
    where: str | None = None,
    min_score: float | None = None,
    min_margin: float | None = None,
    target: float | None = None,
    column: str = "",
    wait: float = 0.0,
    principals: As = None,
    as_owner: AsOwner = False,
    json: AsJson = False,
) -> int:
    """Label documents or texts with classes that you name; no training is needed.

    Parameters
    ----------
    label
        A class: its name, or NAME=description. May be repeated.
    labels
        A YAML file of labels: names, each with nothing, a description, or {description, examples, uris}.
    text
        Classify this text instead of the index. May be repeated.
    labelled
        A CSV file of uri and label: measures how far the classes can be trusted, and chooses margin and temperature.
    level
        What has a class: documents, chunks or media.
    filter
        Only what fulfils a condition such as year >= 2020, as in `relance search`; the rest has no class.
    where
        The same in SQL, on columns.
    min_score
        Cosine below which something is unsure.
    min_margin
        Distance to the next best class below which something is unsure.
    target
        How often answers have to be right, where --labelled chooses the margin (0.9).
    column
        Write the labels to this column of the index as well, for `relance search --where "NAME = 'label'"`.
    wait
        Seconds to wait for a run on this index, with --column.
    """
    from relance.analysis.calibration import calibrate, read_labelled
    from relance.analysis.classify import classify, classify_texts
    from relance.analysis.labels import Label, read_labels

    chosen = {"--filter": filter, "--where": where, "--column": column, "--wait": wait}
    if text:
        without_effect(chosen, "with --text, because nothing of the index is classified")
    elif not column:
        without_effect({"--wait": wait}, "without --column")
    if not labelled:
        without_effect({"--target": target}, "without --labelled")
    terminal, index = Terminal(as_json=json), index_as(spec, principals, owner=as_owner)
    classes = read_labels(labels) if labels else []
    classes += [Label(name, description) for name, _, description in (each.partition("=") for each in label or ())]
    found: dict[str, Any] = {}
    temperature, margin = None, min_margin or 0.0
    if labelled:
        measured = calibrate(index, classes, read_labelled(labelled), level=level,
                             target=0.9 if target is None else target)  # fmt: skip
        found["calibration"] = measured.as_dict()
        temperature = measured.temperature
        margin = measured.min_margin if min_margin is None else min_margin
    limits: dict[str, Any] = {"min_score": min_score, "min_margin": margin, "temperature": temperature}
    if text:
        found["texts"] = [each.as_dict() for each in classify_texts(index, text, classes, level=level, **limits)]
    else:
        done = classify(index, classes, level=level, filter=filter, where=where, column=column, wait_s=wait, **limits)
        found["classes"] = done.as_dict()
    terminal.json(found) if json else _show(terminal, found)
    return DONE


def _show(terminal: Terminal, found: dict[str, Any]) -> None:
    if "calibration" in found:
        _show_calibration(terminal, found["calibration"])
    for each in found.get("texts", ()):
        label = each["label"] or "unsure"
        chance = "" if each["probability"] is None else f"  {each['probability']:.0%}"
        rest = f"{each['score']:.3f}, {each['margin']:.3f} before {each['runner_up']}"
        terminal.out.print(f"[bold]{escape(label)}[/]{chance}  [dim]{escape(rest)}[/]  {escape(each['name'])}")
    if "classes" not in found:
        return
    classes = found["classes"]
    table = Table("label", "documents" if classes["level"] == "documents" else classes["level"], "clearest")
    for name, count in classes["counts"].items():
        table.add_row(escape(name), f"{count:,}", escape(", ".join(classes["examples"][name])))
    table.add_row("[dim]unsure[/]", f"{classes['unsure']:,}", "")
    terminal.out.print(table)
    where = f" and column {classes['column']} of the index" if classes["column"] else ""
    terminal.note(f"written to table {classes['table']}{where}")


def _show_calibration(terminal: Terminal, measured: dict[str, Any]) -> None:
    margin = "no margin is enough, so all are unsure"
    if measured["min_margin"] is not None:
        margin = (f"{measured['min_margin']:.4f} answers {measured['coverage']:.0%}, "
                  f"{measured['answered_accuracy']:.0%} of it rightly")  # fmt: skip
    rows = {
        "accuracy": f"{measured['accuracy']:.3f} of {measured['documents']:,} labelled documents",
        "macro F1": f"{measured['macro_f1']:.3f}",
        "calibration": f"error {measured['ece']:.3f} at temperature {measured['temperature']:.4f}",
        f"margin for {measured['target']:.0%}": margin,
    }
    confused = [f"{true} → {given} ({n})" for true, given, n in measured["confusions"][:_SHOWN]]
    if confused:
        rows["confused"] = "\n".join(confused)
    terminal.pairs(f"{measured['index']}: classes that are known", rows)
    table = Table("label", "precision", "recall", "F1", "documents")
    for name, each in measured["labels"].items():
        shares = [f"{each[key]:.3f}" for key in ("precision", "recall", "f1")]
        table.add_row(escape(name), *shares, f"{each['support']:,}")
    terminal.out.print(table)
