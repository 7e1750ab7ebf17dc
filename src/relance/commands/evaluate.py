"""The command that tells how well indexes answer, and which one does it best."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from relance.commands.options import DONE, AsJson, SearchMode
from relance.errors import ConfigurationError
from relance.terminal import Terminal

if TYPE_CHECKING:
    from relance.evaluation import Comparison, TradeOff
    from relance.evaluation.tables import Cells
    from relance.index import Index

__all__ = ["evaluate"]

Several = Parameter(negative="")
ByMeasure = Literal["ndcg", "recall", "mrr", "map", "precision"]


@Parameter(name="*")
@dataclass(slots=True, frozen=True)
class Against:
    """What systems are compared by, and with.

    Parameters
    ----------
    measure
        What systems are compared by.
    baseline
        System to hold the others against, as it is called in the table; otherwise the best one.
    """

    measure: ByMeasure = "ndcg"
    baseline: str = ""


@Parameter(name="*")
@dataclass(slots=True, frozen=True)
class Trial:
    """Indexes over the dataset's own corpus.jsonl.

    Parameters
    ----------
    model
        Compare models over the dataset's own corpus.jsonl: provider/model or provider/model@dimension, built now.
    corpus
        Index the dataset's own corpus.jsonl with the chunking and model of each spec, instead of the spec's sources.
    keep
        Folder for what --model and --corpus build, so that nothing is embedded twice; otherwise it is thrown away.
    max_cost_usd
        What building the index of one --model may cost.
    """

    model: Annotated[list[str], Several] = field(default_factory=list)
    corpus: Annotated[bool, Several] = False
    keep: Path | None = None
    max_cost_usd: float = 1.0


@Parameter(name="*")
@dataclass(slots=True, frozen=True)
class Output:
    """Where the result goes.

    Parameters
    ----------
    html
        File to write a page with tables and pictures to.
    png
        File to write the picture to; the curve of --dimensions goes beside it, with the index in its name.
    """

    html: Path | None = None
    png: Path | None = None
    json: AsJson = False


def evaluate(
    *specs: Annotated[Path, Parameter(help="Index files, or folders with an index.yaml, to compare.")],
    dataset: Path,
    mode: Annotated[list[str], Several] = ["hybrid"],  # noqa: B006  # cyclopts shows it, and nobody changes it
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 10,
    against: Against = Against(),
    dimensions: str = "",
    ingest: Annotated[bool, Several] = False,
    trial: Trial = Trial(),
    output: Output = Output(),
) -> int:
    """Ask questions with known answers and tell how well they are found; compare indexes, models and modes.

    Parameters
    ----------
    dataset
        A YAML file of golden queries ([{query: …, documents: [uri, …]}]), or a folder in BEIR format.
    mode
        How it is searched; see `relance search`. Several are compared: vector,text,hybrid, or all.
    k
        Documents looked at for each question.
    dimensions
        Also tell what shorter vectors would lose, without embedding anything: lengths such as 1024,512,256 or all.
    ingest
        Bring each index in step first, within its limits.
    """
    from relance.evaluation import compare, evaluate, read_dataset, trade_off

    terminal, (queries, qrels) = Terminal(as_json=output.json), read_dataset(dataset)
    modes, lengths = _modes(mode), _lengths(dimensions)
    with contextlib.ExitStack() as exits:
        indexes = list(_indexes(specs, trial, dataset, exits))
        for index, tried in indexes:
            if ingest or tried:
                _bring_in_step(index, terminal)
        _check_built([index for index, _ in indexes])
        asked = [(index, each) for index, _ in indexes for each in _offered(index, modes)]
        _check_baseline(asked, against.baseline)
        systems = [evaluate(index, queries, qrels, mode=each, k=k) for index, each in asked]
        comparison = compare(systems, measure=against.measure, baseline=against.baseline)
        curves = [trade_off(index, queries, qrels, dimensions=lengths, k=k) for index, _ in indexes] if lengths else []
    _write(comparison, curves, dataset, output)
    if output.json:
        terminal.json(_plain(comparison, curves))
    else:
        _show(terminal, comparison, curves)
    return DONE


def _modes(given: Sequence[str]) -> list[SearchMode]:
    known = get_args(SearchMode)
    names = list(dict.fromkeys(name.strip() for each in given for name in each.split(",")))
    if names == ["all"]:
        return []
    if wrong := [name for name in names if name not in known]:
        msg = f"--mode {wrong[0]}: there is no such mode; there are {', '.join(known)}, and all"
        raise ConfigurationError(msg)
    return [name for name in known if name in names]


def _offered(index: Index, modes: Sequence[SearchMode]) -> Sequence[SearchMode]:
    """Take the modes that were asked for, or all the index can be searched by."""
    absent = {"vector", "sparse"} - set(index.table().schema.names)
    if wrong := sorted(absent.intersection(modes)):
        msg = f"--mode {wrong[0]}: index {index.spec.name!r} has no such vectors"
        raise ConfigurationError(msg)
    return modes or [mode for mode in get_args(SearchMode) if mode not in absent]


def _check_baseline(asked: Sequence[tuple[Index, SearchMode]], baseline: str) -> None:
    """Tell of a baseline that is not among the systems before a question is paid for."""
    from relance.evaluation.compare import check_baseline, labels
    from relance.evaluation.footprint import footprint

    if baseline:
        sizes = [(index.spec.name, mode, footprint(index.spec, index.table(), mode)) for index, mode in asked]
        check_baseline(baseline, labels(sizes))


def _lengths(given: str) -> list[int]:
    from relance.evaluation.dimensions import DIMENSIONS

    if given.strip() == "all":
        return list(DIMENSIONS)
    try:
        lengths = [int(each) for each in given.split(",") if each.strip()]
    except ValueError:
        lengths = [0]
    if any(length < 1 for length in lengths):
        msg = f"--dimensions {given}: write lengths with commas between, such as 1024,512,256, or all"
        raise ConfigurationError(msg)
    return lengths


def _indexes(specs: Sequence[Path], trial: Trial, dataset: Path,
             exits: contextlib.ExitStack) -> Iterator[tuple[Index, bool]]:  # fmt: skip
    """Open what is compared; returns with each index whether it is one over the dataset's corpus."""
    from relance.evaluation.trial import over_corpus, spec_for
    from relance.index import Index

    if not specs and not trial.model:
        raise ConfigurationError("name the index to evaluate, or a --model to try on the dataset's own corpus")
    store = trial.keep or Path()
    if (trial.model or trial.corpus) and not trial.keep:
        store = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="relance-evaluate-")))
    for spec in specs:
        index = Index(spec)
        yield (Index(over_corpus(index.spec, dataset, store)), True) if trial.corpus else (index, False)
    for name in dict.fromkeys(trial.model):
        yield Index(spec_for(name, dataset, store, max_cost_usd=trial.max_cost_usd)), True


def _bring_in_step(index: Index, terminal: Terminal) -> None:
    from relance.control import Control

    control = Control()
    with terminal.progress(index.spec.name, control):
        report = index.ingest(control=control)
    terminal.note(f"{report.index}: {report.status}; {report.embedded:,} texts embedded for ${report.cost_usd:.4f}")


def _check_built(indexes: Sequence[Index]) -> None:
    """Name all indexes that are missing at once, before a question is paid for."""
    missing = []
    for index in indexes:
        try:
            index.table()
        except ConfigurationError as error:
            missing.append(str(error))
    if missing:
        raise ConfigurationError("\n".join([*missing, "or evaluate with --ingest, which builds them first"]))


def _plain(comparison: Comparison, curves: Sequence[TradeOff]) -> dict[str, Any]:
    """Return a single system as it is, several as a comparison."""
    dimensions = [curve.as_dict() for curve in curves]
    if len(comparison.systems) == 1:
        single = comparison.systems[0].as_dict(answers=True)
        return single | {"dimensions": dimensions[0]} if dimensions else single
    return comparison.as_dict(answers=True) | {"dimensions": dimensions}


def _write(comparison: Comparison, curves: list[TradeOff], dataset: Path, output: Output) -> None:
    from relance.evaluation.page import evaluation_page
    from relance.evaluation.plot import comparison_png, trade_off_png

    title = f"{dataset.absolute().name}: {comparison.systems[0].queries:,} questions"
    if output.html:
        output.html.write_text(evaluation_page(comparison, curves, title=title), encoding="utf-8")
    if png := output.png:
        png.write_bytes(comparison_png(comparison, title=title))
        for curve in curves:
            png.with_name(f"{png.stem}-{curve.index}{png.suffix}").write_bytes(trade_off_png(curve))


def _show(terminal: Terminal, comparison: Comparison, curves: Sequence[TradeOff]) -> None:
    from relance.evaluation.tables import cost_cells, notes, quality_cells, trade_off_cells

    _table(terminal, "quality", quality_cells(comparison))
    _table(terminal, "cost", cost_cells(comparison))
    for finding in comparison.findings:
        terminal.say(finding)
    for note in notes(comparison):
        terminal.say(note)
    for curve in curves:
        _table(terminal, f"{curve.index}: shorter vectors", trade_off_cells(curve))
        terminal.say(curve.note)


def _table(terminal: Terminal, title: str, cells: Cells) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, name in enumerate(cells.head):
        table.add_column(escape(name), style="" if place else "cyan", justify="right" if place else "left",
                         overflow="fold", min_width=None if place else 9)  # fmt: skip
    for row in cells.rows:
        table.add_row(*(escape(cell) for cell in row))
    terminal.out.print(table)
