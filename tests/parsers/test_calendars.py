"""Events, tasks and cards are documents with typed metadata."""

import time

import pytest
from collections_of import documents_in, problems_in, rows_in
from mutations import mutations, truncations

from relance.errors import DocumentError

EVENT = r"""BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:1@example.org
DTSTART;TZID=Europe/Berlin:20240701T100000
DTEND;TZID=Europe/Berlin:20240701T113000
LAST-MODIFIED:20240601T080000Z
SUMMARY:Inspection\, pump room
LOCATION:Room 5
DESCRIPTION;LANGUAGE=en:Bring the gauge.\nCheck p < 5 bar in the
  whole circuit\; twice.
CATEGORIES:water,heat
ORGANIZER;CN="Doe, Ann":mailto:ann@example.org
ATTENDEE;ROLE=REQ-PARTICIPANT;CN=Bob:mailto:bob@example.org
ATTENDEE:mailto:c@example.org
RRULE:FREQ=WEEKLY;COUNT=4
BEGIN:VALARM
TRIGGER:-PT15M
DESCRIPTION:Alarm
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:1@example.org
RECURRENCE-ID:20240708T080000Z
SUMMARY:Moved
END:VEVENT
BEGIN:VTODO
SUMMARY:Order a valve
DUE:20240715
STATUS:NEEDS-ACTION
END:VTODO
END:VCALENDAR
"""
CARDS = """BEGIN:VCARD
VERSION:3.0
UID:c1
FN:Ann Doe
N:Doe;Ann;;;
ORG:Waterworks;Pumps
TITLE:Engineer
EMAIL;TYPE=work:ann@example.org
TEL;TYPE="work,voice":+49 30 1
item1.ADR:;;Main Street 1;Berlin;;10115;Germany
BDAY:1980-02-29
NOTE:Knows the old circuit.
END:VCARD
BEGIN:VCARD
VERSION:2.1
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=
=C3=B6rg
END:VCARD
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_events_and_tasks_are_documents(end):
    found = documents_in("a.ics", EVENT.replace("\n", end))
    assert list(found)[:2] == ["1@example.org", "1@example.org/2024-07-08T08:00:00+00:00"]
    event = found["1@example.org"]
    assert event.title == "Inspection, pump room"
    assert event.text == (
        "Inspection, pump room\n\n2024-07-01 10:00:00 – 2024-07-01 11:30:00 · Europe/Berlin · Room 5\n\n"
        "Bring the gauge.\nCheck p < 5 bar in the whole circuit; twice."
    )
    assert event.metadata == {
        "kind": "event",
        "uid": "1@example.org",
        "start": "2024-07-01T10:00:00",
        "end": "2024-07-01T11:30:00",
        "timezone": "Europe/Berlin",
        "modified": "2024-06-01T08:00:00+00:00",
        "location": "Room 5",
        "categories": ["water", "heat"],
        "organizer": "Doe, Ann <ann@example.org>",
        "attendees": ["Bob <bob@example.org>", "c@example.org"],
        "recurrence": "FREQ=WEEKLY;COUNT=4",
    }
    task = list(found.values())[2]
    assert (task.title, task.metadata["due"], task.metadata["kind"]) == ("Order a valve", "2024-07-15", "task")


def test_cards_are_documents():
    ann, joerg = documents_in("a.vcf", CARDS).values()
    assert ann.text == (
        "Ann Doe\n\nEngineer\nWaterworks, Pumps\nann@example.org\n+49 30 1\n"
        "Main Street 1, Berlin, 10115, Germany\n\nKnows the old circuit."
    )
    assert (ann.name, ann.title, ann.metadata["birthday"]) == ("c1", "Ann Doe", "1980-02-29")
    assert ann.metadata["phones"] == ["+49 30 1"]
    assert joerg.title == "Jörg Müller"


def test_what_is_not_closed_or_says_nothing_is_a_failure_of_its_own():
    broken = EVENT.replace("STATUS:NEEDS-ACTION\nEND:VTODO\nEND:VCALENDAR\n", "")
    assert problems_in("a.ics", broken) == {"a.ics#line-33": "its end is missing: no END:VTODO"}
    assert problems_in("a.ics", "BEGIN:VEVENT\nUID:1\nEND:VEVENT\n") == {"a.ics#line-1": "no text in it"}
    assert problems_in("a.ics", "Words") == {
        "a.ics": "no calendar and no card: no line in it is BEGIN:VCALENDAR or BEGIN:VCARD"
    }
    assert documents_in("a.ics", "BEGIN:VCALENDAR\nEND:VCALENDAR\n") == {}


@pytest.mark.parametrize(
    "data",
    [
        "BEGIN:VEVENT\n" * 80_000,
        "END:VEVENT\n" * 80_000,
        "BEGIN:VEVENT\nSUMMARY:" + "\n x" * 300_000 + "\nEND:VEVENT\n",
        "BEGIN:VEVENT\nSUMMARY" + ";a=b," * 200_000 + ":x\nEND:VEVENT",
        "BEGIN:VEVENT\nCATEGORIES:" + ",;\\" * 300_000 + "\nEND:VEVENT",
    ],
)
def test_hostile_calendars_end_soon(data):
    began = time.process_time()
    rows_in("a.ics", data, max_row=1 << 24)
    assert time.process_time() - began < 3


@pytest.mark.parametrize(("name", "whole"), [("a.ics", EVENT), ("a.vcf", CARDS)])
def test_damaged_calendars_are_documents_or_failures_in_one_sentence(name, whole):
    for data in [*mutations(whole.encode(), 60), *truncations(whole.encode(), 20)]:
        for found in rows_in(name, data):
            if isinstance(found, DocumentError):
                assert "\n" not in found.reason
                assert "cannot be parsed" not in found.reason
