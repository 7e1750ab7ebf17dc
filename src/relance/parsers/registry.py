"""The parsers of an index, by media type."""

from __future__ import annotations

import pickle
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

from relance.config import IndexSpec, RowsSpec, fingerprint
from relance.config.plugins import loaded_plugins, plugins
from relance.config.spec_model import SpecModel
from relance.errors import DocumentError, EmptyError, MissingExtraError, RelanceError
from relance.parsers.bounds import BOUNDS, Bounds
from relance.parsers.decoding import clean
from relance.parsers.media_types import UNKNOWN, media_type_of
from relance.parsers.parser import Collection, Parsed, Parser, Raw, Reference
from relance.parsers.rows import Row, Rows
from relance.parsers.worker import inside, unforeseen
from relance.parsers.workers import workers

__all__ = ["Parsers", "installed_parsers", "open_parsers", "parsers_of"]


# Finding pictures in Markdown takes time with the square of what a hostile text is made of: 0.03 s up to here.
_LONG = 32 * 1024


class Parsers:
    """Picks the parser of a media type, and keeps what it raises to one document."""

    def __init__(self, installed: Iterable[Parser], chosen: Iterable[Parser] = (), bounds: Bounds = BOUNDS) -> None:
        """Take parsers. One that names a media type comes before one that has a pattern for it.

        Args:
            installed: the first of them wins.
            chosen: what the spec or the caller names; they come before those that are only installed.
            bounds: of what a document may take whose parser asks for that.
        """
        self._bounds = bounds
        self._chosen = tuple(chosen)
        self._parsers = (*self._chosen, *installed)
        self._known: dict[str, Parser | None] = {}
        self._isolated: dict[tuple[int, str], bool] = {}
        self._suffixes = {suffix: kind for parser in reversed(self._chosen) for suffix, kind in parser.suffixes.items()}

    def of(self, media_type: str) -> Parser | None:
        """Pick the parser of a media type; None where there is none."""
        if media_type not in self._known:
            self._known[media_type] = self._pick(media_type)
        return self._known[media_type]

    def collector(self, media_type: str, rows: RowsSpec | None) -> Parser | None:
        """Pick the parser that reads such files as collections, under the section `rows` of their source; or None."""
        named = (parser for parser in self._parsers if media_type in parser.collections)
        candidates = [*named, *filter(None, [self.of(media_type)])]
        return next((parser for parser in candidates if parser.is_collection(media_type, rows)), None)

    def media_type_of(self, path: str) -> str:
        """Name the media type of a file by its name."""
        suffix = path.rpartition("/")[2].rpartition(".")[2].lower() if self._suffixes else ""
        return self._suffixes.get(suffix) or media_type_of(path)

    def knows(self, media_type: str) -> bool:
        """Whether files of this type are documents, so that not reading one deserves a word."""
        return media_type != UNKNOWN and (self.of(media_type) is not None or bool(self._hint(media_type)))

    def refusal(self, media_type: str) -> str:
        """Say why a file of this type is no document; empty if it can be read."""
        parser = self.of(media_type)
        if parser is None:
            return self._hint(media_type) or f"no parser for {media_type}"
        return parser.refused.get(media_type, "")

    def version(self, media_type: str, *, encoding: str = "", rows: RowsSpec | None = None) -> str:
        """Name what decides the text of such a file beside its bytes; empty where there is no parser."""
        collector = self.collector(media_type, rows)
        parser = collector or self.of(media_type)
        if parser is None:
            return ""
        parts = [parser.version]
        if parser.spec != parser.Spec():
            parts.append(fingerprint(parser.spec))
        if rows is not None and collector is not None:
            parts.append(fingerprint(rows))
        if parser.nests:
            parts += sorted(f"{type(each).__name__}={each.version}/{fingerprint(each.spec)}" for each in self._parsers)
        if encoding and parser.decodes:
            parts.append(encoding)
        return "/".join(parts)

    def is_isolated(self, media_type: str) -> bool:
        """Whether a document of this type is parsed in a worker process."""
        parser = self.of(media_type)
        return parser is not None and self._is_isolated(parser, media_type)

    def parse(self, raw: Raw) -> Parsed:
        """Turn bytes into clean, non-blank text with a title; raises DocumentError with a plain reason."""
        if reason := self.refusal(raw.media_type):
            raise DocumentError(raw.uri, reason)
        if not raw.data:
            raise DocumentError(raw.uri, "empty file")
        with _one_failure(raw.uri):
            (parsed,) = self._run(self._must(raw.media_type), "parse", raw, len(raw.data))
        if not parsed.pages:  # a paged text is clean already, and its offsets must stay right
            parsed.text = clean(parsed.text)
        if not parsed.text.strip():
            if parsed.pages:
                raise DocumentError(raw.uri, "no text in it; scanned pages?")
            raise EmptyError(raw.uri, "no text in it")
        parsed.title = " ".join(clean(parsed.title).split()) or PurePosixPath(raw.uri).stem
        return parsed

    def references(self, raw: Raw) -> list[Reference]:
        """List the images and videos a document shows; raises DocumentError with a plain reason."""
        with _one_failure(raw.uri):
            parser, size = self._must(raw.media_type), len(raw.data)
            (found,) = self._run(parser, "references", raw, size, isolated=size > _LONG and _travels(parser))
            return found

    def rows(self, collection: Collection) -> Iterator[Row | DocumentError]:
        """Stream the documents of a collection; raises DocumentError with a plain reason."""
        with _one_failure(collection.uri):
            yield from self._stream("rows", collection)

    def blocks(self, collection: Collection) -> Iterator[Rows]:
        """Stream the same many at a time."""
        with _one_failure(collection.uri):
            yield from self._stream("blocks", collection)

    def _stream(self, method: str, collection: Collection) -> Iterator[Any]:
        media_type = collection.media_type
        parser = self.collector(media_type, collection.rows) or self._must(media_type)
        if parser.nests:
            collection = replace(collection, inner=self)
        size = 0
        if self._is_isolated(parser, media_type):
            data = collection.read()
            collection, size = replace(collection, stream=BytesIO(data)), len(data)
        return self._run(parser, method, collection, size)

    def _run(
        self, parser: Parser, method: str, argument: Raw | Collection, size: int, *, isolated: bool = False
    ) -> Iterator[Any]:
        """Call a method of a parser, in a process of its own where that is asked for."""
        if self._is_isolated(parser, argument.media_type) or (isolated and not inside()):
            yield from workers().call(parser, method, argument, size, self._bounds.scaled(*parser.effort))
            return
        found = getattr(parser, method)(argument)
        yield from found if isinstance(found, Iterator) else (found,)

    def _is_isolated(self, parser: Parser, media_type: str) -> bool:
        key = id(parser), media_type
        if key not in self._isolated:
            self._isolated[key] = _score(parser.isolated, media_type) > 0 and _travels(parser)
        return self._isolated[key] and not inside()

    def _must(self, media_type: str) -> Parser:
        parser = self.of(media_type)
        assert parser is not None  # noqa: S101  # whoever calls has looked
        return parser

    def _pick(self, media_type: str) -> Parser | None:
        best, rank = None, 0
        for parser in self._parsers:
            score = _score(parser.media_types, media_type)
            if score > rank:
                best, rank = parser, score
        return best

    def _hint(self, media_type: str) -> str:
        return next((parser.refused[media_type] for parser in self._parsers if media_type in parser.refused), "")


def open_parsers(options: Mapping[str, SpecModel] | None = None, given: Mapping[str, Any] | None = None,
                 bounds: Bounds = BOUNDS) -> Parsers:  # fmt: skip
    """Make the installed parsers, with options by name; those given come first, then those that have options.

    What is given is a class, or an instance, which takes no options.
    """
    options, given = options or {}, given or {}
    ours_first = sorted(plugins("parsers").items(), key=lambda each: (each[1].package != "relance", each[0]))
    classes = loaded_plugins("parsers")
    made = {name: classes[name](options.get(name)) for name, _ in ours_first if name in classes and name not in given}
    return Parsers(
        [parser for name, parser in made.items() if name not in options],
        [
            *(kind(options.get(name)) if isinstance(kind, type) else kind for name, kind in given.items()),
            *(parser for name, parser in made.items() if name in options),
        ],
        bounds,
    )


def parsers_of(spec: IndexSpec) -> Parsers:
    """Make the parsers of an index: with the options of its spec, after those that were given to it."""
    given = spec.plugins.given.get("parsers")
    limits = spec.limits
    bounds = Bounds(limits.parse_s_per_mb, int(limits.parse_memory), int(limits.parse_output))
    if spec.parsers or given or bounds != BOUNDS:
        return open_parsers(spec.parsers, given, bounds)
    return installed_parsers()


@cache
def installed_parsers() -> Parsers:
    """Return the installed parsers without options."""
    return open_parsers()


def _score(patterns: tuple[str, ...], media_type: str) -> int:
    """Say how well patterns name a media type: 0 where none does."""
    best = 0
    for pattern in patterns:
        prefix = pattern.removesuffix("*")
        exact = pattern == media_type
        if exact or (prefix != pattern and media_type.startswith(prefix)):
            best = max(best, len(prefix) + (1000 if exact else 0))
    return best


def _travels(parser: Parser) -> bool:
    """Whether another process can have a parser: not one that was written on a prompt."""
    if type(parser).__module__ == "__main__":
        return False
    try:
        pickle.dumps(parser)
    except Exception:  # whatever a stranger's attributes raise
        return False
    return True


@contextmanager
def _one_failure(uri: str) -> Generator[None]:
    try:
        yield
    except MissingExtraError as error:
        raise DocumentError(uri, str(error)) from None
    except RelanceError:
        raise
    except Exception as error:
        raise unforeseen(uri, error) from error
