"""Documents that a person names: whether the index has them, or its sources do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from relance.config import IndexSpec
from relance.documents import Ignored, document_id
from relance.errors import DocumentError, InputError
from relance.parsers import parsers_of
from relance.parsers.media_types import is_media
from relance.sources import Source, open_source
from relance.store import open_store
from relance.store.index_tables import IndexTables

__all__ = ["check_named"]

# Of so many listed names one is suggested; comparing with each takes 10 µs.
_COMPARED = 20_000


def check_named(spec: IndexSpec, uris: Iterable[str], *, gone: Iterable[str] = ()) -> None:
    """Raise InputError for documents that neither the sources nor the index have, with the nearest name there is.

    The sources are listed only where the index does not have a document, and only until all are found. A row
    (`prices.csv#7`) and a message of a mailbox are looked for by their file: which rows it has only reading it says.

    Args:
        spec: the index.
        uris: of documents, or of files of rows.
        gone: of documents that are said to be gone: it is enough that they can be of one of the sources.
    """
    missing = dict.fromkeys(uris)
    for uri in _indexed(spec, missing):
        del missing[uri]
    if missing:
        _look(spec, missing)
    sources = _sources(spec)
    unlikely = [uri for uri in dict.fromkeys(gone) if all(source.location(uri) is None for source in sources)]
    indexed = _indexed(spec, unlikely)
    if strange := [uri for uri in unlikely if uri not in indexed]:
        raise InputError(f"{strange[0]!r} can be in no source of {spec.name!r}, and is not in the index")


def _look(spec: IndexSpec, missing: dict[str, None]) -> None:
    files: dict[str, list[str]] = {}
    for uri in missing:
        files.setdefault(_file(uri), []).append(uri)
    names: list[str] = []
    left_out: dict[str, str] = {}
    for source in _sources(spec):
        for item in source.list():
            if isinstance(item, Ignored):
                left_out |= {uri: item.reason for uri in files if _covers(item.uri, uri)}
                continue
            files.pop(item.uri, None)
            if isinstance(item, DocumentError):  # what cannot be listed may be there
                files = {uri: named for uri, named in files.items() if not _covers(item.uri, uri)}
            if not files:
                return
            if len(names) < _COMPARED:
                names.append(item.uri)
    uri = next(iter(files))
    named = files[uri][0]
    if uri in left_out:
        raise InputError(f"{named!r} is in a source of {spec.name!r}, but left out of the index: {left_out[uri]}")
    close = get_close_matches(uri, names, 1, 0.6) or [each for each in names if each.rpartition("/")[2] == uri][:1]
    hint = f"; did you mean {close[0]!r}?" if close else "; uris are paths from the folder of the spec, or addresses"
    raise InputError(f"{named!r} is neither in a source of {spec.name!r} nor in the index{hint}")


def _sources(spec: IndexSpec) -> list[Source]:
    parsers = parsers_of(spec)

    def wanted(media_type: str) -> bool:
        return parsers.knows(media_type) or (spec.media is not None and is_media(media_type))

    return [open_source(spec, position, media_type_of=parsers.media_type_of, wanted=wanted)
            for position in range(len(spec.sources))]  # fmt: skip


def _indexed(spec: IndexSpec, uris: Iterable[str]) -> set[str]:
    ids = {document_id(uri): uri for uri in uris}
    found: set[str] = set()
    store = open_store(spec) if ids else None
    if store is None or not store.exists:
        return found
    for media in (False, True) if spec.media is not None else (False,):
        tables = IndexTables.serving(store, spec.name, media=media)
        if tables is not None:
            found |= {ids[row["doc_id"]] for row in tables.manifest.select(list(ids), ["doc_id"]).to_pylist()}
            found |= {row.uri for row in tables.failures.all() if row.uri in ids.values()}
    return found


def _file(uri: str) -> str:
    return uri.partition("#")[0]


def _covers(place: str, uri: str) -> bool:
    return uri == place or (place.endswith("/") and uri.startswith(place))
