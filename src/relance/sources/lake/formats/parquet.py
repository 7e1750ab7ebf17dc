"""Folders of Parquet files, with partitions in their names (`year=2024/`)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from relance.documents import Ignored, digest
from relance.errors import ConfigurationError
from relance.sources.lake.formats.format import Format, TableState

__all__ = ["Parquet"]

_OPTIONS = {
    "aws_access_key_id": "access_key",
    "aws_secret_access_key": "secret_key",
    "aws_session_token": "session_token",
    "aws_region": "region",
    "region": "region",
    "aws_endpoint": "endpoint_override",
    "endpoint": "endpoint_override",
}
_ROWS = 5000
_FOOTERS = 8  # files whose columns are read at the same time


class Parquet(Format):
    """A dataset of pyarrow: version by names, sizes and times of its files."""

    listed = False

    def open(self) -> TableState:
        """List the files; ConfigurationError if there is no such folder."""
        from pyarrow import fs

        if not self.remote and not self.path.is_dir():
            raise self.missing(f"there is no folder {self.path}")
        with self.explained(f"listing {self.spec.uri}"):
            system, root = self._file_system()
            if system.get_file_info(root).type != fs.FileType.Directory:
                raise self.missing(f"there is nothing at {self.spec.uri}")
            found = system.get_file_info(fs.FileSelector(root, recursive=True))
        return _Dataset(self, system, root, sorted(found, key=lambda each: each.path))

    def _file_system(self) -> tuple[Any, str]:
        from pyarrow import fs

        if not self.remote:
            return fs.LocalFileSystem(), str(self.path)
        parts = urlsplit(self.spec.uri)
        if parts.scheme != "s3":
            raise ConfigurationError(
                f"{parts.scheme}:// is not read here; a Parquet dataset is in a folder or in s3://"
            )
        unknown = sorted(self.options.keys() - _OPTIONS.keys() - {"aws_allow_http", "allow_http"})
        if unknown:
            raise ConfigurationError(f"storage_options: {unknown[0]!r} is not known; there are {', '.join(_OPTIONS)}")
        options = {_OPTIONS[name]: value for name, value in self.options.items() if name in _OPTIONS}
        return fs.S3FileSystem(**options), f"{parts.netloc}{parts.path}".rstrip("/")


class _Dataset(TableState):
    def __init__(self, form: Parquet, system: Any, root: str, found: Sequence[Any]) -> None:
        from pyarrow import fs

        self._form, self._system, self._root = form, system, root
        self._files: list[str] = []
        ignored: list[Ignored] = []
        marks: list[str] = []
        for each in found:
            name = posixpath.relpath(each.path, root)
            if each.type != fs.FileType.File:
                continue
            if any(part.startswith(("_", ".")) for part in name.split("/")):
                ignored.append(Ignored(f"{form.spec.uri}/{name}", "hidden, or no data of the table"))
            elif not name.lower().endswith((".parquet", ".pq", ".parq")):
                suffix = posixpath.splitext(name)[1]
                ignored.append(Ignored(f"{form.spec.uri}/{name}", "no Parquet file", suffix))
            else:
                self._files.append(each.path)
                marks += [name, str(each.size), str(each.mtime_ns)]
        self.ignored = ignored
        self.version = digest("parquet", *marks)

    def schema(self) -> pa.Schema:
        if not self._files:
            return pa.schema([])
        with self._form.explained(f"reading {self._form.spec.uri}"):
            return self._dataset.schema

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if not self._files:
            return
        with self._form.explained(f"reading {self._form.spec.uri}"):
            yield from self._dataset.to_batches(
                columns=list(columns), batch_size=_ROWS, fragment_readahead=1, batch_readahead=2
            )

    @cached_property
    def _dataset(self) -> Any:
        from pyarrow import dataset

        partitions = dataset.HivePartitioning.discover(infer_dictionary=False)
        options = dataset.FileSystemFactoryOptions(partition_base_dir=self._root, partitioning=partitions)
        factory = dataset.FileSystemDatasetFactory(self._system, self._files, dataset.ParquetFileFormat(), options)
        first = factory.finish()
        # Later files may have columns that earlier ones have not, and wider types.
        with ThreadPoolExecutor(_FOOTERS, "relance-footers") as pool:
            own = list(pool.map(lambda fragment: fragment.physical_schema, first.get_fragments()))
        return factory.finish(pa.unify_schemas([first.schema, *own], promote_options="permissive"))
