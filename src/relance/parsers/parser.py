"""What a parser is: a class that makes documents of bytes."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar, Literal, Protocol

from relance.config.sources import RowsSpec
from relance.config.spec_model import SpecModel
from relance.errors import DocumentError
from relance.parsers.rows import Row, Rows, in_blocks

__all__ = ["Collection", "Inner", "Parsed", "Parser", "Raw", "Reference"]


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
    """What a parser makes of it; `text`, `syntax`, `pages` and `warnings` as in `Document`."""

    text: str
    title: str = ""
    syntax: str = "text"
    metadata: dict[str, Any] = field(default_factory=dict)
    pages: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class Reference:
    """An image or video that a document shows.

    Attributes:
        url: as written (in HTML: joined with `<base href>`); `resolve` makes it usable.
        alt: what it shows, in the author's words; for a video its label.
        caption: of the figure it is in, else what the link or card around it says.
        heading_path: titles of the headings above it, outermost first.
        kind_hint: by the markup and the name; only the content tells.
        ignored: why it is not indexed, such as `spacer or tracking pixel of a page`; it is counted by that reason.
        by_name: whether the name stands for a file in any folder of the source, as embeds of Obsidian do.
    """

    url: str
    alt: str = ""
    title: str = ""
    caption: str = ""
    heading_path: tuple[str, ...] = ()
    kind_hint: Literal["image", "video"] = "image"
    ignored: str = ""
    by_name: bool = False


class Inner(Protocol):
    """What the parser of a collection may ask of the other parsers."""

    def media_type_of(self, path: str) -> str:
        """Name the media type of a file by its name."""
        ...

    def knows(self, media_type: str) -> bool:
        """Whether files of this type are documents."""
        ...

    def collector(self, media_type: str, rows: RowsSpec | None) -> Parser | None:
        """Pick the parser that reads such files as collections, or None."""
        ...

    def parse(self, raw: Raw) -> Parsed:
        """Turn bytes into text; raises DocumentError with a plain reason."""
        ...

    def rows(self, collection: Collection) -> Iterator[Row | DocumentError]:
        """Stream the documents of a collection inside."""
        ...


@dataclass(slots=True, frozen=True)
class Collection:
    """An open file that holds many documents.

    Attributes:
        stream: its bytes; seekable, closed by whoever opened it.
        rows: the section `rows` of its source; None where there is none.
        encoding: as in `Raw`.
        max_row: bytes one document in it may have.
        media: whether its images and videos are wanted instead of its texts.
        identity: which addresses are the same picture: gives them the same name.
        inner: the parsers of the index, for documents inside that have formats of their own.
        depth: how many collections it is in.
    """

    stream: BinaryIO
    uri: str
    media_type: str
    rows: RowsSpec | None = None
    encoding: str = ""
    max_row: int = 1 << 26
    media: bool = False
    identity: Callable[[str], str] = str
    inner: Inner | None = None
    depth: int = 0

    def read(self) -> bytes:
        """Read all of it, where it may be no larger than a document; raises DocumentError."""
        data = self.stream.read(self.max_row + 1)
        if len(data) > self.max_row:
            raise DocumentError(self.uri, f"larger than max_size ({self.max_row:,} bytes)")
        return data


class Parser(ABC):
    """One family of formats; methods are called from several threads.

    A constructor is cheap: libraries are imported by the methods, which raise MissingExtraError without them.

    Attributes:
        Spec: its options, the section of the spec that goes by its name.
        version: changed when the same bytes would give another text; part of the fingerprint.
        media_types: what it reads, such as `text/markdown`; `text/*` stands for all that no other parser names.
        suffixes: file name suffixes it brings, without dot, with their media types.
        collections: media types that it reads as collections only, and another parser as one document.
        refused: media types that are no document as they are, and what to do instead.
        decodes: whether the encoding of text decides what it reads.
        nests: whether it hands documents inside to the parsers of their types, whose versions count as well.
        media_marks: what the bytes of a document match if it shows images or videos; None where none ever does.
        isolated: media types, as in `media_types`, of which a file could make the parser explode or crash: they are
            read in another process, within the limits of the spec, which gets the parser as a pickle.
    """

    Spec: ClassVar[type[SpecModel]] = SpecModel
    version: ClassVar[str]
    media_types: ClassVar[tuple[str, ...]]
    collections: ClassVar[tuple[str, ...]] = ()
    suffixes: ClassVar[Mapping[str, str]] = {}
    refused: ClassVar[Mapping[str, str]] = {}
    decodes: ClassVar[bool] = False
    nests: ClassVar[bool] = False
    media_marks: ClassVar[re.Pattern[bytes] | None] = None
    isolated: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        """See to it that a class with rows of its own, whatever it inherits, has no other blocks than of those."""
        super().__init_subclass__()
        if "rows" in vars(cls) and "blocks" not in vars(cls):
            cls.blocks = Parser.blocks

    def __init__(self, spec: SpecModel | None = None) -> None:
        self.spec = spec if spec is not None else self.Spec()

    @property
    def effort(self) -> tuple[float, float]:
        """How many times the CPU seconds and the memory of `limits` a document may take, with these options."""
        return 1.0, 1.0

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
