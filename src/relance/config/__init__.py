"""The declaration of an index: what a user writes in `index.yaml`, and what the JSON Schema is made from.

Loading a file (line numbers, `${ENV}`, did-you-mean) is in `spec_file.py`.
"""

from relance.config.access import EVERYONE, AccessSpec
from relance.config.chunking import ChunkingSpec
from relance.config.embedding import EmbeddingSpec, MediaEmbeddingSpec
from relance.config.fingerprint import fingerprint
from relance.config.index import IndexSpec
from relance.config.limits import LimitsSpec
from relance.config.media import FetchSpec, FilmsSpec, MediaSpec
from relance.config.quality import QualitySpec
from relance.config.schedule import ScheduleSpec
from relance.config.search import RerankSpec, SearchSpec
from relance.config.sources import FilesSource, RowsSpec, SourceSpec
from relance.config.spec_model import Size
from relance.config.store import StoreSpec

__all__ = [
    "EVERYONE",
    "AccessSpec",
    "ChunkingSpec",
    "EmbeddingSpec",
    "FetchSpec",
    "FilesSource",
    "FilmsSpec",
    "IndexSpec",
    "LimitsSpec",
    "MediaEmbeddingSpec",
    "MediaSpec",
    "QualitySpec",
    "RerankSpec",
    "RowsSpec",
    "ScheduleSpec",
    "SearchSpec",
    "Size",
    "SourceSpec",
    "StoreSpec",
    "fingerprint",
]
