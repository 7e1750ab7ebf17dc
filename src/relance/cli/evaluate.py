"""The command that tells how well indexes answer, and which one does it best."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from cyclopts import Parameter
from cyclopts.validators import Number

from relance.cli.options import DONE, HERE, As, AsJson, AsOwner, index_as
from relance.cli.terminal import Terminal
from relance.errors import ConfigurationError

if TYPE_CHECKING:
    from relance.evaluation import Comparison, TradeOff
    from relance.evaluation.judged import Judged
    from relance.index import Index
    from relance.search.mode import Mode

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
class Built:
    """What is built first: the indexes themselves, or others over the dataset's own corpus.jsonl.

    Parameters
    ----------
    ingest
        Bring each index in sync first, within its limits.
    model
        Compare models over the dataset's own corpus.jsonl: provider/model or provider/model@dimension, built now.
    corpus
        Index the dataset's own corpus.jsonl with the chunking and model of each spec, instead of the spec's sources.
    keep
        Folder for what --model and --corpus build, so that nothing is embedded twice; otherwise it is thrown away.
    max_cost_usd
        What building the index of one --model may cost; 1 where nothing is said.
    """

    ingest: Annotated[bool, Several] = False
    model: Annotated[list[str], Several] = field(default_factory=list)
    corpus: Annotated[bool, Several] = False
    keep: Path | None = None
    max_cost_usd: float | None = None

    def check(self) -> None:
        """Refuse what would be ignored."""
        if self.keep and not (self.model or self.corpus):
            raise ConfigurationError("--keep: there is nothing to keep; it is for what --model and --corpus build")
        if self.max_cost_usd is not None and not self.model:
            raise ConfigurationError("--max-cost-usd: it is for --model; an index file has `limits` of its own")


@Parameter(name="*")
@dataclass(slots=True, frozen=True)
class Output:
    """Where the result goes.

    Parameters
    ----------
    html
        File to write a page with tables and pictures to, named *.html.
    png
        File to write the picture to, named *.png; the curve of --dimensions goes beside it, with the index in its name.
    """

    html: Path | None = None
    png: Path | None = None
    json: AsJson = False


def evaluate(  # noqa: PLR0913  # options
    *specs: Annotated[Path, Parameter(help="Index files, or folders with an index.yaml, to compare.")],
    dataset: Path,
    split: str = "test",
    mode: Annotated[list[str], Several] = ["hybrid"],  # noqa: B006  # cyclopts shows it, and nobody changes it
    k: Annotated[int, Parameter(name=["-k", "--k"], validator=Number(gte=1, lte=10_000))] = 10,
    against: Against = Against(),
    dimensions: str = "",
    built: Built = Built(),
    principals: As = None,
    as_owner: AsOwner = False,
    output: Output = Output(),
) -> int:
    """Measure search quality on questions with known answers; compare indexes, models and modes.

    Parameters
    ----------
    dataset
        A YAML file of golden queries ([{query: "…", documents: [uri, …]}]), or a folder in BEIR format.
    split
        Which judgements of such a folder are taken: test for qrels/test.tsv.
    mode
        How it is searched; see `relance search`. Several are compared: dense,full-text,hybrid, or all.
    k
        Documents looked at for each question.
    dimensions
        Also measure what shorter vectors would lose, without embedding anything: lengths such as 1024,512,256 or all.
    """
    from relance.cli.evaluation_tables import show
    from relance.evaluation import compare, evaluate, read_dataset, trade_off
    from relance.evaluation.files import Files
    from relance.evaluation.judged import find_judged, offered
    from relance.evaluation.measures import counted

    terminal, files = Terminal(as_json=output.json), Files(output.html, output.png)
    modes, lengths = _modes(mode), _lengths(dimensions)
    built.check()
    files.check()
    queries, qrels = read_dataset(dataset, split=split)
    with contextlib.ExitStack() as exits:
        opened = list(_indexes(specs, built, dataset, exits, partial(index_as, principals=principals, owner=as_owner)))
        _build([index for index, tried in opened if built.ingest or tried], terminal)
        indexes = [index for index, _ in opened]
        _check_built(indexes)
        known = [find_judged(index, queries, qrels) for index in indexes]
        asked = [(each, mode) for each in known for mode in offered(each, modes)]
        _check(asked, against.baseline, shorter=bool(lengths))
        systems = [evaluate(each.index, queries, qrels, mode=mode, k=k) for each, mode in asked]
        comparison = compare(systems, measure=against.measure, baseline=against.baseline)
        curves = [trade_off(index, queries, qrels, dimensions=lengths, k=k) for index in indexes] if lengths else []
    title = f"{dataset.absolute().name}: {counted(comparison.systems[0].queries, 'question')}"
    files.write(comparison, curves, title=title)
    if output.json:
        terminal.json(_plain(comparison, curves))
    else:
        show(terminal, comparison, curves)
    return DONE


def _modes(given: Sequence[str]) -> list[Mode]:
    """Read the modes that are asked for; none are all."""
    from relance.search.mode import Mode, check_mode

    names = {name.strip() for each in given for name in each.split(",")}
    asked = {check_mode(name, "all") for name in sorted(names - {"all"})}
    return [] if "all" in names else [mode for mode in get_args(Mode) if mode in asked]


def _check(asked: Sequence[tuple[Judged, Mode]], baseline: str, *, shorter: bool) -> None:
    """Tell before a question is paid for of a baseline that is not among the systems, and of vectors that are not."""
    from relance.evaluation.compare import check_baseline, labels
    from relance.evaluation.dimensions import check_dense
    from relance.evaluation.footprint import footprint

    if baseline:
        sizes = [(each.index.spec.name, mode, footprint(each.index.spec, each.table, mode, media=each.media))
                 for each, mode in asked]  # fmt: skip
        check_baseline(baseline, labels(sizes))
    for each, _ in asked if shorter else ():
        check_dense(each)


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


def _indexes(specs: Sequence[Path], built: Built, dataset: Path,
             exits: contextlib.ExitStack,
             open_index: Callable[[Path], Index]) -> Iterator[tuple[Index, bool]]:  # fmt: skip
    """Open what is compared; returns with each index whether it is one over the dataset's corpus."""
    from relance.evaluation.ephemeral_index import over_corpus, spec_for, thrown_away
    from relance.index import Index

    specs = specs or (() if built.model else (HERE,))
    store = built.keep or Path()
    if (built.model or built.corpus) and not built.keep:
        store = exits.enter_context(thrown_away())
    for spec in specs:
        index = open_index(spec)
        yield (Index(over_corpus(index.spec, dataset, store)), True) if built.corpus else (index, False)
    for name in dict.fromkeys(built.model):
        budget = 1.0 if built.max_cost_usd is None else built.max_cost_usd
        yield Index(spec_for(name, dataset, store, max_cost_usd=budget)), True


def _build(indexes: Sequence[Index], terminal: Terminal) -> None:
    """Bring indexes in sync; every model is checked before the first index is built."""
    from relance.embedding.providers import open_provider
    from relance.pipeline.run_handle import RunHandle

    for index in indexes:
        open_provider(index.spec.embedding, index.spec.plugins)
    for index in indexes:
        handle = RunHandle()
        with terminal.progress(index.spec.name, handle):
            report = index.ingest(handle=handle)
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
