"""What to try where nothing was found: a key that is written wrongly, a filter that leaves nothing, another mode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from relance.explore.index_reader import IndexReader
from relance.explore.question import Question
from relance.explore.scope import Scope, compiled, matching
from relance.search.no_hits import unknown_keys

__all__ = ["Hint", "hints", "without_model"]


@dataclass(slots=True, frozen=True)
class Hint:
    """A sentence, and the parameters of the question it proposes; none where it proposes no other question."""

    text: str
    label: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


def hints(reader: IndexReader, question: Question, scope: Scope, *, media: bool) -> list[Hint]:
    """Say why a question has no answer, and which similar one has."""
    found = list(_misspelt(reader, question, media=media))
    conditions = question.conditions()
    if conditions and not scope.passing:
        things = "images and videos" if media else "documents"
        found.append(Hint(f"The filters leave none of the {scope.total:,} {things}."))
        for name, each in conditions.items():
            others = " and ".join(f"({other})" for key, other in conditions.items() if key != name)
            where = compiled(reader, others, media=media) if others else None
            left = len(matching(reader, where, media=media)) if where else scope.total
            if left:
                found.append(Hint(f"Without {each} there are {left:,}.", "Search without it", question.without(name)))
    elif question.q and question.mode in {"full-text", "sparse"}:
        what = (
            "No document has a word of the question."
            if question.mode == "full-text"
            else "No document shares a term with the question."
        )
        found.append(Hint(f"{what} A hybrid search also finds texts of the same meaning.", "Search hybrid",
                          question.parameters(mode="hybrid")))  # fmt: skip
    return found


def without_model(question: Question) -> Hint:
    """Propose what can be asked while the model is away."""
    text = "A full-text search needs no model."
    return Hint(text, "Search full-text", question.parameters(mode="full-text"))


def _misspelt(reader: IndexReader, question: Question, *, media: bool) -> Iterator[Hint]:
    """Name keys of the typed filter that no document has, with the one that was probably meant."""
    table, facets = reader.table(media=media), reader.facets(media=media)
    if not question.filter or table is None or not facets.whole:
        return
    columns = table.schema.names
    known = [*facets.keys, *columns]
    for key, meant in unknown_keys(question.filter, columns, facets.keys.__contains__, lambda: known):
        text = f"No document has the metadata key {key}." + (f" Did you mean {meant}?" if meant else "")
        if meant and question.filter.count(key) == 1:
            corrected = question.parameters(filter=question.filter.replace(key, meant))
            yield Hint(text, f"Search with {meant}", corrected)
        else:
            yield Hint(text)
