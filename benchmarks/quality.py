"""How well two English and Chinese retrieval sets are answered: words, two models, and both together; and pictures.

    uv run --group dev python benchmarks/quality.py [--keep FOLDER] [--pictures FOLDER] [--only texts | scenes]

Cranfield (1,400 abstracts, 225 questions) and CMRC 2018 (848 passages, 805 Chinese questions), in BEIR format, are
expected in `../shared/data`; `--data` names another folder. The first run embeds for about half an hour on two cores;
`--keep` keeps the vectors for the next one. Hybrid search is also tried with lists merged by reciprocal ranks
(1 / (60 + rank), Cormack et al. 2009) instead of scores; those figures come last. The pictures are drawn scenes
(`scenes.py`), the emulator makes their vectors (`quality_pictures.py`).
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import mock

from quality_pictures import measure_pictures

from relance.evaluation import Comparison, Measure, TradeOff, compare, evaluate, read_dataset, trade_off
from relance.evaluation.ephemeral_index import spec_for
from relance.evaluation.plot import comparison_png, trade_off_png
from relance.evaluation.tables import comparison_markdown, trade_off_markdown
from relance.index import Index
from relance.search import Mode

SETS = ("cranfield", "cmrc-zh")
SHOWN: tuple[Measure, ...] = ("ndcg", "recall")
MODELS = ("local/wordllama", "local/multilingual-e5-small")
SYSTEMS: list[tuple[str, Mode]] = [(MODELS[0], "full-text"), *((model, mode) for model in MODELS
                                                           for mode in ("dense", "hybrid"))]  # fmt: skip


def main() -> None:
    """Evaluate every system on every set, and print the table of docs/use.md and the details behind it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--keep", type=Path, help="folder for the indexes and vectors")
    parser.add_argument("--pictures", type=Path, help="folder to write PNG files to")
    parser.add_argument("--only", choices=("texts", "scenes"), help="the two sets of texts, or the drawn scenes")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as exits:
        store = arguments.keep or Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="relance-quality-")))
        if arguments.only != "texts":
            drawn = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="relance-scenes-")))
            print(f"## Drawn scenes, by vectors of the emulator\n\n{measure_pictures(drawn)}\n", flush=True)
        if arguments.only == "scenes":
            return
        found = {name: measure(arguments.data / name, store) for name in SETS}
    print(summary({name: comparison for name, (comparison, _, _) in found.items()}))
    for name, (comparison, curves, by_rank) in found.items():
        print(f"\n## {name}\n\n{comparison_markdown(comparison)}")
        for curve in curves:
            print(f"\n### {name}: shorter vectors of {curve.model}\n\n{trade_off_markdown(curve)}")
        for model, ndcg in by_rank.items():
            print(f"\n{model}, hybrid, merged by reciprocal ranks: nDCG@10 {ndcg:.3f}")
        if arguments.pictures:
            arguments.pictures.mkdir(parents=True, exist_ok=True)
            picture = arguments.pictures / f"quality-{name}.png"
            picture.write_bytes(comparison_png(comparison, title=f"{name}: how well questions are answered"))
            for curve in curves:
                model = curve.model.rpartition("/")[2]
                (arguments.pictures / f"dimensions-{name}-{model}.png").write_bytes(trade_off_png(curve))


def measure(dataset: Path, store: Path) -> tuple[Comparison, list[TradeOff], dict[str, float]]:
    """Build what is missing of a set's indexes, ask them, cut their vectors, and merge lists by their ranks."""
    questions = read_dataset(dataset)
    indexes = {model: Index(spec_for(model, dataset, store, max_cost_usd=0)) for model in MODELS}
    for index in indexes.values():
        index.ingest()
    systems = [evaluate(indexes[model], *questions, mode=mode) for model, mode in SYSTEMS]
    curves = [trade_off(index, *questions, dimensions=(192, 128, 96, 64, 32)) for index in indexes.values()]
    with mock.patch("relance.search.hybrid_query.fused", reciprocal_ranks):
        by_rank = {model: evaluate(index, *questions, mode="hybrid").ndcg for model, index in indexes.items()}
    return compare(systems), curves, by_rank


def reciprocal_ranks(lists: Mapping[str, Sequence[tuple[str, float]]], known: object = None) -> list[tuple[str, float]]:
    """Merge lists as `relance.search.fusion.fused` does, but by ranks; what is usual in them (`known`) is no matter."""
    del known
    totals: defaultdict[str, float] = defaultdict(float)
    for found in lists.values():
        for rank, (name, _) in enumerate(found, start=1):
            totals[name] += 1 / (60 + rank)
    return sorted(totals.items(), key=lambda each: (-each[1], each[0]))


def summary(found: dict[str, Comparison]) -> str:
    """Put the sets side by side: nDCG@10 and Recall@10 with their intervals."""
    lines = ["| | " + " | ".join(f"{name} nDCG@10 | {name} Recall@10" for name in found) + " |",
             "|---|" + "---|" * (2 * len(found))]  # fmt: skip
    for place, (model, mode) in enumerate(SYSTEMS):
        name = mode if mode == "full-text" else f"{model.rpartition('/')[2]}, {mode}"
        cells = [cell(comparison, place, measure) for comparison in found.values() for measure in SHOWN]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(comparison: Comparison, place: int, measure: Measure) -> str:
    """Show a mean, bold where it is the highest, with its interval."""
    values = [getattr(each, measure) for each in comparison.systems]
    low, high = comparison.systems[place].intervals[measure]
    mean = f"{values[place]:.3f}"
    return f"{f'**{mean}**' if values[place] == max(values) else mean} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
