"""The doctor's door to what the store does not know: how texts become vectors, and what buying them again costs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from relance.config import IndexSpec
from relance.documents import Chunk, Document, digests
from relance.embedding.budget import cost_usd
from relance.errors import ConfigurationError, RelanceError
from relance.pipeline.run import Run
from relance.pipeline.runtime import Runtime
from relance.pipeline.staging import abandoned, sweep
from relance.store import open_store
from relance.store.doctor import Examination, Patient, examine, remember, repair, unreachable
from relance.store.maintain import drop_leftovers, leftovers

if TYPE_CHECKING:
    import pyarrow as pa

    from relance.embedding.providers import ModelInfo
    from relance.store import Store
    from relance.store.doctor.rules import Rules

__all__ = ["check_up"]

Keys = Callable[["pa.RecordBatch"], list[str]]


def check_up(spec: IndexSpec, *, mend: bool = False, wait_s: float = 0.0, record: bool = False) -> Examination:
    """Check everything an index has in its store.

    Args:
        spec: of the index.
        mend: repair it, and wait for a run on it for `wait_s` seconds before IndexBusyError.
        wait_s: seconds.
        record: note in the catalog how many findings there are, for the metrics; a repair always does.
    """
    store = open_store(spec)
    models = _models(spec)
    keys: dict[str, Callable[[Rules], Keys]] = {}
    if "text" in models:
        keys["text"] = lambda rules: _Keys(spec, store, models["text"], rules)
    places = [Path(tempfile.gettempdir())] + ([store.local / ".relance"] if store.local is not None else [])
    since = datetime.now(UTC) - timedelta(days=spec.store.retention_days)
    patient = Patient(
        spec, store, models, keys,
        staging=(lambda: [each for place in places for each in abandoned(place)],
                 lambda: [sweep(place) for place in places]),
        tables=(lambda: leftovers(spec, store, since), lambda: drop_leftovers(spec, store, since)),
    )  # fmt: skip
    if (away := unreachable(patient)) is not None:
        return away
    exam = repair(patient, wait_s=wait_s) if mend else examine(patient)
    _price(spec, exam, models)
    for each in exam.findings:
        each.fix = None  # what could be done is done, and a finding may be kept or sent
    if (mend or record) and store.exists:
        with suppress(Exception):  # a store that cannot be written has a finding for it, or the next look finds it
            remember(store, exam)
    return exam


def _models(spec: IndexSpec) -> dict[str, ModelInfo]:
    """Open the models; one without a key, say, is not compared with the tables."""
    from relance.embedding.providers import open_provider

    sections = {"text": spec.embedding} | ({"media": spec.media.embedding} if spec.media is not None else {})
    found = {}
    for part, section in sections.items():
        with suppress(ConfigurationError):
            found[part] = open_provider(section, spec.plugins).info
    return found


class _Keys:
    """Names the vectors of stored chunks, as the stage that split them did.

    Of a document that was split by other rules than the spec's it is not known what was embedded: no key is named.
    """

    def __init__(self, spec: IndexSpec, store: Store, info: ModelInfo, rules: Rules) -> None:
        runtime = Runtime(spec, "text", store=store)
        self._spec, self._space, self._rules = spec.chunking, info.space, rules
        self._sources, self._fingerprints = range(len(spec.sources)), runtime.fingerprints
        self._current: dict[str, set[str]] = {}

    def __call__(self, batch: pa.RecordBatch) -> list[str]:
        """Return a key for each chunk, empty where it cannot be told."""
        from relance.chunkers import embedding_text
        from relance.store.ids import decode

        names = batch.schema.names
        leads = batch["lead"].to_pylist() if "lead" in names else [None] * batch.num_rows
        known = self._rules.of(decode(batch["doc_id"])[:, 0])
        sent, told = [], []
        for text, lead, path, title, kind, mark in zip(
            batch["text"].to_pylist(), leads, batch["heading_path"].to_pylist(),
            batch["title"].to_pylist(), batch["media_type"].to_pylist(), known, strict=True,
        ):  # fmt: skip
            told.append(mark in self._marks(kind or ""))
            text = text or ""  # noqa: PLW2901
            document = Document("", text, kind or "", "", title or "")
            sent.append(embedding_text(document, Chunk(0, len(text), 0, tuple(path or ()), lead or ""), self._spec))
        keys = digests("vector", self._space, "document", sent).hex()
        return [keys[32 * at : 32 * at + 32] if each else "" for at, each in enumerate(told)]

    def _marks(self, media_type: str) -> set[str]:
        """Return the fingerprints that documents of a media type have now."""
        if media_type not in self._current:
            found = set()
            for source in self._sources:
                for row in (False, True):
                    with suppress(RelanceError, KeyError):  # a type this source reads nothing of
                        found.add(self._fingerprints.named(source, media_type, row=row))
            self._current[media_type] = found
        return self._current[media_type]


def _price(spec: IndexSpec, exam: Examination, models: dict[str, ModelInfo]) -> None:
    """Say what it costs to buy again what was lost: documents are read and split as for a plan, vectors counted."""
    for part, info in models.items():
        wanted = [each for each in exam.findings if each.part == part and each.documents]
        uris = sorted({uri for each in wanted for uri in each.documents if uri})
        tokens = _planned(spec, uris, part) if uris else 0
        for each in wanted:
            each.tokens = tokens
        for each in exam.findings:
            if each.part == part:
                each.usd = None if each.tokens is None else cost_usd(each.tokens, info.price_per_million_tokens)


def _planned(spec: IndexSpec, uris: Sequence[str], part: str) -> int | None:
    """Count the tokens that writing documents again has to buy; None where that cannot be known."""
    files = sorted({*uris, *(uri.rpartition("#")[0] for uri in uris if "#" in uri)})
    try:
        with Run(spec, full=True, only=files, read_only=True) as run:
            plan = run.plan()
    except Exception:  # sources that are away, a table that is hurt
        return None
    if part == "media":
        return plan.media.tokens if plan.media is not None else None
    return plan.tokens
