"""The declaration of an index: what a user writes in `index.yaml`, and what the JSON Schema is made from.

Loading a file (line numbers, `${ENV}`, did-you-mean) is in `spec_file.py`.
"""

from relance.spec.chunking import ChunkingSpec
from relance.spec.embedding import EmbeddingSpec, MediaEmbeddingSpec
from relance.spec.fingerprint import fingerprint
from relance.spec.index import IndexSpec
from relance.spec.limits import LimitsSpec
from relance.spec.media import FetchSpec, MediaSpec
from relance.spec.part import Size
from relance.spec.quality import QualitySpec
from relance.spec.schedule import ScheduleSpec
from relance.spec.search import RerankSpec, SearchSpec
from relance.spec.sources import FilesSource, RowsSpec, SourceSpec
from relance.spec.store import StoreSpec

__all__ = [
    "ChunkingSpec",
    "EmbeddingSpec",
    "FetchSpec",
    "FilesSource",
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
