"""The command that tells how well an index answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from relance.commands.options import DONE, AsJson, SearchMode, Spec
from relance.terminal import Terminal

__all__ = ["evaluate"]


def evaluate(
    spec: Spec,
    *,
    dataset: Path,
    mode: SearchMode = "hybrid",
    k: Annotated[int, Parameter(name=["-k", "--k"])] = 10,
    json: AsJson = False,
) -> int:
    """Ask questions with known answers and tell how well they are found.

    Parameters
    ----------
    dataset
        A YAML file of golden queries ([{query: …, documents: [uri, …]}]), or a folder in BEIR format.
    k
        Documents looked at for each question.
    mode
        How it is searched; see `relance search`.
    """
    from relance.evaluation import evaluate, read_dataset
    from relance.index import Index

    terminal, (queries, qrels) = Terminal(as_json=json), read_dataset(dataset)
    found = evaluate(Index(spec), queries, qrels, mode=mode, k=k)
    terminal.json(found.as_dict(answers=True)) if json else terminal.evaluation(found.as_dict())
    return DONE
