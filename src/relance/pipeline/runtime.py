"""What the stages work with in one process: sources, model, event loop, cache, opened once and used by all batches."""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from relance.config import EmbeddingSpec, IndexSpec
from relance.errors import RetryableError
from relance.pipeline.counts import Ledger
from relance.pipeline.fingerprints import Fingerprints, StoredFingerprints
from relance.pipeline.staging import Staging
from relance.store import open_store
from relance.store.embeddings import EmbeddingStore
from relance.store.index_tables import space_of

if TYPE_CHECKING:
    from relance.documents import Media
    from relance.embedding.budget import CostMeter
    from relance.embedding.embedder import Embedded
    from relance.embedding.runtime import EmbeddingLoop
    from relance.media.loader import MediaLoader
    from relance.pipeline.context import Context
    from relance.pipeline.copyable import Stored
    from relance.pipeline.store_staging import StoreStaging
    from relance.store import Store

__all__ = ["Runtime", "lend", "runtime_of"]


class Runtime:
    """Everything one part of an index needs to be read, split and embedded; a context manager.

    Attributes:
        meter: pays requests from the budget of the run; None outside its process, where each grant brings its own.
        ledger: what was bought and not yet reported.
        on_wait: called with why requests wait, and with nothing when they no longer do.
        staging: of the run, if there is one.
        parallel: documents that are parsed at the same time, where that is done in worker processes.
    """

    def __init__(self, spec: IndexSpec, part: str, *, full: bool = False, parallel: int = 1,  # noqa: PLR0913
                 store: Store | None = None, staging: Staging | StoreStaging | None = None,
                 spared: frozenset[str] = frozenset(),
                 stopped: Callable[[], bool] = lambda: False,
                 on_wait: Callable[[str], None] = lambda _: None) -> None:  # fmt: skip
        """Open what a part of a spec names; ConfigurationError where that cannot be."""
        from relance.embedding.providers import open_provider

        self.spec = spec
        self.part = part
        self.full = full
        self.parallel = parallel
        self.stopped = stopped
        self.on_wait = on_wait
        self.staging = staging
        self.ledger = Ledger()
        self.meter: CostMeter | None = None
        self.store = store or open_store(spec)
        self.provider = open_provider(self.embedding, spec.plugins)
        info = self.provider.info
        self.space = space_of(info)
        self.sources = self._open_sources()
        self.fingerprints = self._open_fingerprints(spared)
        self.cache = EmbeddingStore(self.store, self.space, info.dimension, sparse=info.sparse)
        self._exits = contextlib.ExitStack()
        self._opening = threading.Lock()
        self._embedder: EmbeddingLoop | None = None
        self._loader: MediaLoader | None = None

    def __enter__(self) -> Self:
        self._exits.callback(self.cache.close)
        return self

    def __exit__(self, *error: object) -> None:
        self._exits.close()

    @property
    def embedding(self) -> EmbeddingSpec:
        """The section of the spec that names this part's model."""
        if self.part != "media":
            return self.spec.embedding
        assert self.spec.media is not None  # noqa: S101  # nobody opens the media of an index without
        return self.spec.media.embedding

    @property
    def embedder(self) -> EmbeddingLoop:
        """The embedder on its event loop; started with the first batch, since many runs have nothing to embed."""
        with self._opening:
            if self._embedder is None:
                from relance.embedding.runtime import EmbeddingLoop

                loop = EmbeddingLoop(self.provider, self.embedding, self.cache, account=self.account,
                                     stop=self.stopped, on_wait=self.on_wait)  # fmt: skip
                self._embedder = self._exits.enter_context(loop)
        return self._embedder

    @property
    def loader(self) -> MediaLoader:
        """What looks at images and videos."""
        with self._opening:
            if self._loader is None:
                from relance.media.known import Known
                from relance.media.loader import open_media_loader
                from relance.media.spill import Spill
                from relance.pipeline.thumbnails import open_drawer

                assert self.spec.media is not None  # noqa: S101  # as above
                rules, scale = self.provider.info.media_rules, self.spec.media.oversize == "scale"
                # Where workers share no disk, a batch carries its pictures, also those that may be asked for after all.
                shared = isinstance(self.staging, Staging)
                spill = Spill(self.staging.open) if shared else None
                known = Known(self._are_bought) if shared else None
                drawer = open_drawer(self.store, self.spec.name, int(self.spec.media.thumbnails))
                loader = open_media_loader(
                    self.spec.media, rules, scale=scale, stop=self.stopped, spill=spill, known=known, drawer=drawer
                )  # fmt: skip
                self._loader = self._exits.enter_context(loader)
        return self._loader

    def _are_bought(self, things: Sequence[Media]) -> list[bool]:
        from relance.embedding.embedder import vector_key

        return self.cache.contains([vector_key(self.provider.info.space, "document", each) for each in things]).tolist()

    @cached_property
    def pictures(self) -> dict[str, str]:
        """What the index knows of addresses, for plans: content hashes by the identities of addresses."""
        from relance.pipeline.media_memory import MediaMemory
        from relance.store.index_tables import IndexTables

        tables = IndexTables.serving(self.store, self.spec.name, media=True)
        if tables is None:
            return {}
        memories = (MediaMemory.of(row) for row in tables.manifest.all(["version", "collection"])
                    if not row["collection"])  # fmt: skip
        return {name: each.content_hash for memory in memories for name, each in memory.known.items()}

    def _open_sources(self) -> Sequence[Any]:
        count = range(len(self.spec.sources))
        if self.part != "media":
            from relance.pipeline.text_reader import open_text_reader

            readers = [open_text_reader(self.spec, position) for position in count]
            return readers if self.part == "text" else [self._open_stored(readers)]
        from relance.pipeline.media_reader import open_media_reader

        return [open_media_reader(self.spec, position) for position in count]

    def _open_stored(self, readers: Sequence[Any]) -> Stored:
        from relance.pipeline.copyable import Stored

        stored = Stored.of(self.spec, self.store, self.provider, readers)
        if stored is None:
            msg = f"the tables of {self.spec.name} that serve were changed by another process meanwhile; run again"
            raise RetryableError(msg)
        return stored

    def _open_fingerprints(self, spared: frozenset[str]) -> Fingerprints:
        if self.part == "stored":
            return StoredFingerprints(self.sources[0].marks)
        return Fingerprints(self.spec, self.sources, tokenizer=self.provider.info.tokenizer, space=self.space,
                            split=self.part == "text", spared=spared)  # fmt: skip

    def account(self, bought: Embedded) -> None:
        """Note what a call bought, whether it ended well or not."""
        self.ledger.add(
            embedded=bought.embedded, requests=bought.requests, tokens=bought.tokens, cost_usd=bought.cost_usd
        )


_lock = threading.Lock()
_runtimes: dict[tuple[str, str], Runtime] = {}


def runtime_of(context: Context) -> Runtime:
    """Return the process's runtime of a run: the coordinator's own, or in another process one that it opens."""
    key = context.run_id, context.part
    with _lock:
        runtime = _runtimes.get(key)
        if runtime is None:
            for other in [each for each in _runtimes if each[0] != context.run_id]:
                _runtimes.pop(other).__exit__()  # a worker serves one run after the other
            runtime = Runtime(
                _declared(context), context.part, full=context.full, staging=context.staging, spared=context.spared,
                stopped=lambda: context.staging.stopped,
            )  # fmt: skip
            _runtimes[key] = runtime.__enter__()
            atexit.register(runtime.__exit__)
        return runtime


def _declared(context: Context) -> IndexSpec:
    """Open the spec of a run, with the model that makes its tables."""
    from relance.pipeline.sections import made_with

    return made_with(context.spec.open(), context.made, media=context.part == "media")


@contextlib.contextmanager
def lend(context: Context, runtime: Runtime) -> Generator[None]:
    """Let stages that run in this process use a runtime that is open already."""
    key = context.run_id, context.part
    with _lock:
        _runtimes[key] = runtime
    try:
        yield
    finally:
        with _lock:
            del _runtimes[key]
