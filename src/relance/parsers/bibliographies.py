"""Bibliographies (BibTeX, RIS): each entry is a document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from relance.documents import digest
from relance.errors import DocumentError
from relance.parsers.bibtex_entries import bibtex_entries
from relance.parsers.entries import Entries
from relance.parsers.latex_text import latex_text
from relance.parsers.media_types import BIBTEX, RIS
from relance.parsers.rows import Row

__all__ = ["Bibliographies"]

# Line, key, and fields or why it cannot be read.
Entry = tuple[int, str, dict[str, Any] | str]

_NO_END = "its end is missing: no ER"

_TAG = re.compile(r"([A-Z][A-Z0-9])  ?-(?: (.*))?")
_YEAR = re.compile(r"\d{4}")
# Tags of RIS as BibTeX calls them; several of one name are a list.
_TAGS = {"TI": "title", "T1": "title", "AB": "abstract", "N2": "abstract", "N1": "note", "PY": "year", "Y1": "year",
         "T2": "journal", "JO": "journal", "JF": "journal", "JA": "journal", "BT": "booktitle", "PB": "publisher",
         "DO": "doi", "UR": "url", "SN": "isbn", "VL": "volume", "IS": "number", "SP": "first_page", "EP": "last_page",
         "LA": "language", "CY": "address", "ET": "edition", "DA": "date", "ID": "id", "TY": "type"}  # fmt: skip
_LISTS = {"AU": "authors", "A1": "authors", "A2": "editors", "ED": "editors", "KW": "keywords"}
_SAID = ("abstract", "annote", "annotation", "note")
_PLACES = ("journal", "journaltitle", "booktitle", "publisher", "school", "institution", "howpublished")


class Bibliographies(Entries):
    """Bibliographies; an entry's title, authors, place and abstract are its text, all fields but those metadata."""

    version = "bibliographies-1"
    media_types = (BIBTEX, RIS)
    nothing = "no entry in it that can be read"

    def entries(self, text: str, uri: str, media_type: str) -> Iterator[Row | DocumentError]:
        """Stream the entries, named by their keys, or by their content where they have none."""
        return _rows(text, uri, media_type)


def _rows(text: str, uri: str, media_type: str) -> Iterator[Row | DocumentError]:
    names: Counter[str] = Counter()
    found = False
    for line, key, entry in _bibtex(text) if media_type == BIBTEX else _ris(text):
        found = True
        if isinstance(entry, str):
            yield DocumentError(f"{uri}#line-{line}", f"the entry {key!r}: {entry}" if key else entry)
            continue
        row = _row(key, entry)
        if not row.text:
            yield DocumentError(f"{uri}#line-{line}", "no title, author or abstract in it")
            continue
        names[row.name] += 1
        row.name = row.name if names[row.name] == 1 else f"{row.name}-{names[row.name]}"
        yield row
    if not found and text.strip():
        raise DocumentError(uri, "no bibliography: there is no entry in it")


def _bibtex(text: str) -> Iterator[Entry]:
    for line, kind, key, fields in bibtex_entries(text):
        if isinstance(fields, str):
            yield line, key, fields
            continue
        entry: dict[str, Any] = {"type": kind}
        for name, value in fields.items():
            if name in {"author", "editor"}:
                people = re.split(r"\s+and\s+", value.strip())
                entry[f"{name}s"] = [person for each in people if (person := latex_text(each))]
            elif name == "keywords":
                entry[name] = [word for each in re.split("[,;]", value) if (word := latex_text(each))]
            elif name in {"url", "doi", "file", "eprint"}:
                entry[name] = value.strip()
            elif words := latex_text(value):
                entry[name] = words
        yield line, key, entry


def _ris(text: str) -> Iterator[Entry]:
    values: dict[str, list[list[str]]] = {}  # of each field its values, of each value its lines
    line, last = 1, ""
    for number, written in enumerate(text.split("\n"), 1):
        found = _TAG.fullmatch(written.rstrip())
        if found is None:
            if last and written.strip():
                values[last][-1].append(written.strip())  # a long value goes on in the next line
            continue
        tag, value = found[1], (found[2] or "").strip()
        if tag in {"TY", "ER"}:
            if values:
                entry = _fields(values)
                key = str(entry.pop("id", ""))
                yield line, key, entry if tag == "ER" else _NO_END
            values, line, last = {"type": [[value]]} if tag == "TY" else {}, number, ""
        elif values and value:
            last = _LISTS.get(tag) or _TAGS.get(tag) or tag.lower()
            values.setdefault(last, []).append([value])
    if values:
        yield line, str(_fields(values).pop("id", "")), _NO_END


def _fields(values: dict[str, list[list[str]]]) -> dict[str, Any]:
    """Join the lines of each value; several values of one field are a list, or one text."""
    entry: dict[str, Any] = {}
    for name, found in values.items():
        texts = list(dict.fromkeys(" ".join(lines) for lines in found))
        entry[name] = texts if name in _LISTS.values() else "; ".join(texts)
    return entry


def _row(key: str, entry: dict[str, Any]) -> Row:
    said = [str(entry.pop(name)) for name in _SAID if name in entry]
    title = entry.pop("title", "")
    subtitle = entry.pop("subtitle", "")
    title = f"{title}: {subtitle}" if subtitle else title
    year = _YEAR.search(str(entry.get("year") or entry.get("date") or ""))
    if year:
        entry["year"] = int(year[0])
    people = "; ".join(entry.get("authors") or entry.get("editors") or [])
    place = ", ".join(str(entry[name]) for name in (*_PLACES, "year") if name in entry)
    words = [title, "\n".join(filter(None, (people, place))), *said]
    text = "\n\n".join(filter(None, words)) if title or said or people else ""
    return Row(key or digest("entry", text, repr(entry), size=8), text, title, entry)
