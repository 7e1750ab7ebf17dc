"""What a parser is: a class that makes documents of bytes."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar, Literal

from relance.config.sources import RowsSpec
from relance.config.spec_model import SpecModel
from relance.errors import DocumentError
from relance.parsers.rows import Row, Rows, in_blocks

__all__ = ["Collection", "Parsed", "Parser", "Raw", "Reference"]


@dataclass(slots=True, frozen=True)
class Raw:
    """The bytes of one document.

    Attributes:
        encoding: of text without a byte-order mark; empty means: detect.
        max_unpacked: bytes an archive may hold when unpacked.
    """

    data: bytes
    uri: str
    media_type: str
    encoding: str = ""
    max_unpacked: int = 1 << 30


@dataclass(slots=True)
class Parsed:
    """What a parser makes of it; `text`, `syntax` and `pages` as in `Document`."""

    text: str
    title: str = ""
    syntax: str = "text"
    metadata: dict[str, Any] = field(default_factory=dict)
    pages: tuple[int, ...] = ()


@dataclass(slots=True, frozen=True)
class Reference:
    """An image or video that a document shows.

    Attributes:
        url: as written (in HTML: joined with `<base href>`); `resolve` makes it usable.
        alt: what it shows, in the author's words; for a video its label.
        caption: of the figure it is in.
        heading_path: titles of the headings above it, outermost first.
        kind_hint: by the markup and the name; only the content tells.
    """

    url: str
    alt: str = ""
    title: str = ""
    caption: str = ""
    heading_path: tuple[str, ...] = ()
    kind_hint: Literal["image", "video"] = "image"


@dataclass(slots=True, frozen=True)
class Collection:
    """An open file that holds many documents.

    Attributes:
        stream: its bytes; seekable, closed by whoever opened it.
        rows: the section `rows` of its source; None where there is none.
        encoding: as in `Raw`.
        max_row: bytes one document in it may have.
        media: whether its images and videos are wanted instead of its texts.
    """

    stream: BinaryIO
    uri: str
    media_type: str
    rows: RowsSpec | None = None
    encoding: str = ""
    max_row: int = 1 << 26
    media: bool = False


class Parser(ABC):
    """One family of formats; methods are called from several threads.

    A constructor is cheap: libraries are imported by the methods, which raise MissingExtraError without them.

    Attributes:
        Spec: its options, the section of the spec that goes by its name.
        version: changed when the same bytes would give another text; part of the fingerprint.
        media_types: what it reads, such as `text/markdown`; `text/*` stands for all that no other parser names.
        suffixes: file name suffixes it brings, without dot, with their media types.
        refused: media types that are no document as they are, and what to do instead.
        decodes: whether the encoding of text decides what it reads.
        media_marks: what the bytes of a document match if it shows images or videos; None where none ever does.
    """

    Spec: ClassVar[type[SpecModel]] = SpecModel
    version: ClassVar[str]
    media_types: ClassVar[tuple[str, ...]]
    suffixes: ClassVar[Mapping[str, str]] = {}
    refused: ClassVar[Mapping[str, str]] = {}
    decodes: ClassVar[bool] = False
    media_marks: ClassVar[re.Pattern[bytes] | None] = None

    def __init_subclass__(cls) -> None:
        """See to it that a class with rows of its own, whatever it inherits, has no other blocks than of those."""
        super().__init_subclass__()
        if "rows" in vars(cls) and "blocks" not in vars(cls):
            cls.blocks = Parser.blocks

    def __init__(self, spec: SpecModel | None = None) -> None:
        self.spec = spec if spec is not None else self.Spec()

    @abstractmethod
    def parse(self, raw: Raw) -> Parsed:
        """Turn bytes into text; raises DocumentError with a plain reason."""

    def references(self, raw: Raw) -> list[Reference]:  # noqa: ARG002  # most formats show nothing
        """List the images and videos a document shows, in order, each address once; raises as `parse`."""
        return []

    def is_collection(self, media_type: str, rows: RowsSpec | None) -> bool:  # noqa: ARG002  # most never are
        """Whether files of this type hold many documents, under the section `rows` of their source."""
        return False

    def rows(self, collection: Collection) -> Iterator[Row | DocumentError]:
        """Stream the documents of a collection in order; memory stays flat, but for what tells their names apart.

        A document that cannot be read is an error at `uri#name`, or at `uri#line-N` where it has no name of its own.
        Raises DocumentError with the collection's uri if the file as a whole is at fault.
        """
        raise DocumentError(collection.uri, f"{collection.media_type} has no rows")

    def blocks(self, collection: Collection) -> Iterator[Rows]:
        """Stream the same many at a time; a parser may have a faster way to do that."""
        return in_blocks(self.rows(collection), collection.uri)
