"""One thing that is wrong with a store, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["CODES", "Finding", "Level", "State"]

# What a finding is called, for programs: a code is never renamed, and never means something else.
CODES = {
    "store-unreadable": "the store cannot be listed",
    "check-failed": "a check ended with an error of its own, and what it looks at is not known",
    "table-missing": "a table that belongs to the index is gone",
    "table-unreadable": "the newest version of a table cannot be opened or read at all",
    "file-hurt": "a file of a table's newest version is missing, cut off or damaged",
    "version-lost": "a table is older than what the log of runs says a run left",
    "version-hurt": "an older version cannot be read: nothing can be rolled back to it",
    "index-hurt": "a search index cannot be read",
    "index-missing": "a search index that the table should have is not there",
    "index-behind": "so many rows are not in a search index that searches are slow",
    "column-missing": "a column of the table was dropped",
    "column-added": "a column was added that keeps runs from writing",
    "column-type": "a column has another type than relance writes",
    "dimension-differs": "the vectors of a table have another length than the model's",
    "row-foreign": "rows with ids that relance does not make",
    "documents-torn": "documents of which chunks and manifest do not fit together",
    "documents-waiting": "documents that the next run writes again",
    "vector-bad": "chunks whose vector is missing, zero, or not a number",
    "vector-differs": "chunks with another vector than the embedding cache has for their text",
    "tombstones-left": "rows that were replaced, which a run deletes at its end",
    "run-interrupted": "a run was cut short while it wrote",
    "run-unreadable": "an entry of the log of runs cannot be read",
    "cache-bad": "entries of the embedding cache that are zero or not a number",
    "cache-twice": "keys that the embedding cache has twice",
    "cache-lacks": "chunks whose vector the embedding cache does not have",
    "journal-hurt": "a file of the journal of bought vectors is damaged",
    "claims-hurt": "the file of who is buying what is damaged",
    "alias-dangling": "the catalog names a table for the index that is not there",
    "alias-missing": "the catalog names no table for the index, and there is one",
    "catalog-bad": "an entry of the catalog cannot be read, or is there twice",
    "catalog-stale": "an entry of the catalog is about a table that is not there",
    "leftover-staging": "batches of a run that was killed",
    "leftover-aside": "tables and files that were set aside, for a person to look at",
    "leftover-table": "a table that nothing uses and no rollback goes back to",
}


Level = Literal["error", "note"]
State = Literal["found", "repaired", "waiting", "left"]


@dataclass(slots=True, kw_only=True)
class Finding:
    """A finding.

    Attributes:
        code: one of `CODES`.
        where: the table, file, search index, catalog entry or folder.
        what: what is wrong, one sentence.
        remedy: what `--repair` does about it, or where it does nothing what a person can do.
        part: text | media, or empty where it is about neither.
        level: a note harms neither readers nor runs, and is no reason for an exit code of 1.
        documents: uris of the documents that readers do not find as they are.
        vectors: of the embedding cache that are lost.
        lost: what is gone for good, in words.
        tokens: to buy again what is lost; None where that is not known.
        usd: what that would cost; None where no price is known.
        state: found; after a repair: repaired, waiting (the next run finishes it), left.
        done: what the repair did.
        fix: repairs it and says what it did, one sentence; None where nothing can be done here.
        marks: whether `fix` only marks documents, for the next run to write.
        waits: whether the next run repairs it, without anybody doing anything.
    """

    code: str
    where: str
    what: str
    remedy: str
    part: str = ""
    level: Level = "error"
    documents: Sequence[str] = ()
    vectors: int = 0
    lost: str = ""
    tokens: int | None = 0
    usd: float | None = 0.0
    state: State = "found"
    done: str = ""
    fix: Callable[[], str] | None = field(default=None, repr=False)
    marks: bool = False
    waits: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others, also of a later look."""
        return self.code, self.where

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        names = (
            "code",
            "level",
            "part",
            "where",
            "what",
            "remedy",
            "state",
            "done",
            "vectors",
            "lost",
            "tokens",
            "usd",
        )
        return {name: getattr(self, name) for name in names} | {"documents": list(self.documents)}
