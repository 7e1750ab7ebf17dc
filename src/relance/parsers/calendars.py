"""Calendars (iCalendar) and contacts (vCard): each event, task, journal entry and card is a document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from relance.documents import digest
from relance.errors import DocumentError
from relance.parsers.content_lines import Component, components
from relance.parsers.entries import Entries
from relance.parsers.media_types import CALENDAR, CONTACTS
from relance.parsers.rows import Row

__all__ = ["Calendars"]

_KINDS = frozenset(("VEVENT", "VTODO", "VJOURNAL", "VCARD"))
_DATES = {"DTSTART": "start", "DTEND": "end", "DUE": "due", "COMPLETED": "completed", "CREATED": "created",
          "LAST-MODIFIED": "modified", "REV": "modified", "BDAY": "birthday"}  # fmt: skip
_TEXTS = {"UID": "uid", "STATUS": "status", "LOCATION": "location", "RRULE": "recurrence", "DURATION": "duration",
          "URL": "url", "ORG": "organization", "TITLE": "job_title", "ROLE": "role"}  # fmt: skip
_LISTS = {"CATEGORIES": "categories", "EMAIL": "emails", "TEL": "phones"}


class Calendars(Entries):
    """Calendars and contacts; what is typed in them becomes metadata, what is said in words the text."""

    version = "calendars-1"
    media_types = (CALENDAR, CONTACTS)
    nothing = "no event, task or card in it"

    def entries(self, text: str, uri: str, media_type: str) -> Iterator[Row | DocumentError]:  # noqa: ARG002  # any kind
        """Stream the events, tasks and cards, named by their UID; a change of one of a series has its date as well."""
        names: Counter[str] = Counter()
        for each in components(text, _KINDS):
            row = _card(each) if each.kind == "VCARD" else _event(each)
            if not each.is_whole:
                yield DocumentError(f"{uri}#line-{each.line}", f"its end is missing: no END:{each.kind}")
            elif not row.text:
                yield DocumentError(f"{uri}#line-{each.line}", "no text in it")
            else:
                names[row.name] += 1
                row.name = row.name if names[row.name] == 1 else f"{row.name}-{names[row.name]}"
                yield row
        if not names and "BEGIN:V" not in text.upper():
            raise DocumentError(uri, "no calendar and no card: no line in it is BEGIN:VCALENDAR or BEGIN:VCARD")


def _event(event: Component) -> Row:
    metadata = {"kind": {"VEVENT": "event", "VTODO": "task", "VJOURNAL": "journal"}[event.kind]} | _typed(event)
    for name, key in (("ORGANIZER", "organizer"), ("ATTENDEE", "attendees")):
        if people := [_person(each.value, each.parameters) for each in event.properties.get(name, [])]:
            metadata[key] = people[0] if key == "organizer" else people
    start = event.first("DTSTART")
    if start is not None and "TZID" in start.parameters:
        metadata["timezone"] = start.parameters["TZID"]
    when = " – ".join(metadata[key].replace("T", " ") for key in ("start", "end", "due") if key in metadata)
    where = " · ".join(filter(None, (when, metadata.get("timezone", "") if when else "", event.text("LOCATION"))))
    said = [event.text("SUMMARY"), where, event.text("DESCRIPTION"), *(event.all_texts("COMMENT"))]
    words = [text for text in said if text]
    recurrence = event.first("RECURRENCE-ID")
    name = event.text("UID") + (f"/{recurrence.date or recurrence.text}" if recurrence and event.text("UID") else "")
    return _row(name, words, event.text("SUMMARY"), metadata)


def _card(card: Component) -> Row:
    metadata = _typed(card)
    family, *given = card.all_texts("N") or [""]
    name = card.text("FN") or " ".join([*given, family]).strip() or ", ".join(card.all_texts("ORG"))
    if organization := card.all_texts("ORG"):
        metadata["organization"] = ", ".join(organization)
    places = [", ".join(each.texts) for each in card.properties.get("ADR", [])]
    if places := [place for place in places if place]:
        metadata["addresses"] = places
    lines = [metadata.get("job_title", ""), metadata.get("organization", ""), *metadata.get("emails", []),
             *metadata.get("phones", []), *places]  # fmt: skip
    words = [name, "\n".join(filter(None, lines)), *(each.text for each in card.properties.get("NOTE", []))]
    return _row(card.text("UID"), [text for text in words if text], name, metadata)


def _typed(each: Component) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, key in _DATES.items():
        if (value := each.first(name)) is not None:
            found[key] = value.date or value.text
    found |= {key: text for name, key in _TEXTS.items() if (text := each.text(name))}
    found |= {key: texts for name, key in _LISTS.items() if (texts := each.all_texts(name))}
    return found


def _person(value: str, parameters: dict[str, str]) -> str:
    address = value[7:] if value.lower().startswith("mailto:") else value
    name = parameters.get("CN", "")
    return f"{name} <{address}>" if name and name != address else address


def _row(name: str, words: list[str], title: str, metadata: dict[str, Any]) -> Row:
    text = "\n\n".join(words)
    return Row(name or digest("component", text, repr(metadata), size=8), text, title.replace("\n", " "), metadata)
