"""What is needed of a format of tables."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from relance.documents import Ignored
from relance.errors import ConfigurationError, RelanceError, SourceError
from relance.safe_text import visible
from relance.sources.lake.spec import LakeSpec

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Format", "TableState"]

_IN_RUST = re.compile(r",?\s*\S+\.rs:\d+(:\d+)?")  # where in its own code a library has found it


class TableState(ABC):
    """One version of a table.

    Attributes:
        version: changes whenever a row or the schema may have.
        ignored: what lies in the table's folder and is not read.
    """

    version: str
    ignored: Sequence[Ignored] = ()

    @abstractmethod
    def schema(self) -> pa.Schema:
        """Return the columns."""

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Stream the rows with some of their columns, in flat memory."""


class Format(ABC):
    """One format; a constructor opens nothing.

    Attributes:
        listed: whether a listing knows the columns, because they are not in the files of rows.
    """

    listed: ClassVar[bool] = True

    def __init__(self, spec: LakeSpec, folder: Path) -> None:
        self.spec, self.folder = spec, folder
        self.options = {name: value.get_secret_value() for name, value in spec.storage_options.items()}

    @property
    def remote(self) -> bool:
        """Whether the place is an address."""
        return "://" in self.spec.uri

    @property
    def place(self) -> str:
        """The place as the library takes it."""
        return self.spec.uri if self.remote else str(self.path)

    @property
    def path(self) -> Path:
        """The place on this machine."""
        return (self.folder / Path(self.spec.uri).expanduser()).absolute()

    @abstractmethod
    def open(self) -> TableState:
        """Look at the newest version; ConfigurationError if there is no such table."""

    @contextmanager
    def explained(self, doing: str) -> Generator[None]:
        """Turn what a library raises into SourceError, without secrets: what is indexed stays."""
        try:
            yield
        except RelanceError:
            raise
        except Exception as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            said = _IN_RUST.sub("", lines[0]) if lines else type(error).__name__
            raise SourceError(f"{doing} failed: {self._hidden(said)}") from None

    def missing(self, what: str) -> ConfigurationError:
        """Make the error of a table that is not there."""
        return ConfigurationError(self._hidden(f"{what}; is it mounted, is the spec right?"))

    def _hidden(self, text: str) -> str:
        secrets = [*self.options.values(), *(value.get_secret_value() for value in self.spec.catalog.values())]
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            if len(secret) > 5:
                text = text.replace(secret, "***")
        return visible(text, line=True)[:400]
