"""What a file makes its parser do ends in its own process, as one failure that names the limit."""

import ctypes
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from relance.config import RowsSpec
from relance.errors import DocumentError, MissingExtraError
from relance.parsers import Collection, Parsed, Parser, Raw, Row, open_parsers
from relance.parsers.bounds import Bounds
from relance.parsers.workers import Workers

KIND = "application/x-trouble"
BOUNDS = Bounds(parse_s_per_mb=1, parse_memory=64 << 20, parse_output=1 << 20)


class Trouble(Parser):
    """Does what the file says."""

    version = "trouble-1"
    media_types = (KIND,)
    isolated: ClassVar = (KIND,)

    def parse(self, raw: Raw) -> Parsed:
        match raw.data.decode():
            case "loop":
                while True:
                    pass
            case "sleep":
                time.sleep(600)
            case "memory":
                return Parsed("x" * len(bytearray(1 << 30)))
            case "output":
                return Parsed("x" * (2 << 20))
            case "crash":
                ctypes.string_at(0)
            case "leave":
                os._exit(7)
            case "deep":
                return self.parse(raw)
            case "raise":
                raise ZeroDivisionError("division by zero")
            case "refuse":
                raise DocumentError(raw.uri, "not today")
            case "extra":
                raise MissingExtraError("reading trouble", "x")
            case "chatter":
                os.write(1, b"noise")
                return Parsed("quiet")
            case _:
                pass
        return Parsed(str(os.getpid()))

    def is_collection(self, media_type: str, rows: RowsSpec | None) -> bool:
        return True

    def rows(self, collection: Collection) -> Iterator[Row | DocumentError]:
        for number, line in enumerate(collection.stream):
            if line == b"loop\n":
                while True:
                    pass
            yield Row(str(number), line.decode().strip(), "", {})


PARSERS = open_parsers({}, {"trouble": Trouble}, BOUNDS)


def parse(text: str) -> str:
    return PARSERS.parse(Raw(text.encode(), "a.trouble", KIND)).text


@pytest.mark.long
@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("loop", "more than 1 s of CPU (limits.parse_s_per_mb)"),
        ("memory", "more than 64 MB of memory (limits.parse_memory)"),
        ("output", "becomes 2 MB of text; limits.parse_output allows 1 MB"),
        ("crash", "the parser crashed on it (SIGSEGV)"),
        ("leave", "the parser crashed on it (exit code 7)"),
        ("deep", "nested too deep"),
        ("raise", "cannot be parsed (ZeroDivisionError: division by zero)"),
        ("refuse", "not today"),
        ("extra", "relance[x]"),
    ],
)
def test_trouble_is_one_failure_and_the_next_document_is_read(file, reason):
    with pytest.raises(DocumentError) as caught:
        parse(file)
    assert caught.value.uri == "a.trouble"
    assert reason in caught.value.reason
    assert int(parse("good")) != os.getpid()


def test_one_process_reads_one_document_after_another_and_what_it_prints_is_lost():
    assert parse("good") == parse("good")
    assert parse("chatter") == "quiet"


def test_a_parser_that_hangs_without_cpu_is_ended_by_the_clock(monkeypatch):
    monkeypatch.setattr(Bounds, "wait_s", lambda self, size: 0.5)
    with pytest.raises(DocumentError, match="parse_s_per_mb"):
        parse("sleep")


@pytest.mark.long
def test_a_process_that_was_killed_while_it_had_nothing_to_do_is_replaced():
    pid = int(parse("good"))
    os.kill(pid, 9)
    assert int(parse("good")) != pid


@pytest.mark.long
def test_rows_stream_and_what_came_before_the_trouble_stays():
    def rows(data: bytes) -> Iterator[Row | DocumentError]:
        return PARSERS.rows(Collection(io.BytesIO(data), "a.trouble", KIND))

    assert [row.text for row in rows(b"one\ntwo\n") if isinstance(row, Row)] == ["one", "two"]
    stream = rows(b"one\nloop\n")
    first = next(stream)
    assert isinstance(first, Row)
    assert first.text == "one"
    with pytest.raises(DocumentError, match="parse_s_per_mb"):
        next(stream)
    stream = rows(b"one\ntwo\n" * 1000)
    next(stream)
    del stream  # a reader that has seen enough
    assert parse("good").isdigit()


@pytest.mark.long
def test_closing_ends_all_of_them_and_the_next_document_starts_another():
    ours = Workers(2)
    parser, size = Trouble(), 1

    def call(text: str) -> Iterator[Parsed]:
        return ours.call(parser, "parse", Raw(text.encode(), "a.trouble", KIND), size, BOUNDS)

    one, two = call("good"), call("good")
    pids = {int(next(one).text), int(next(two).text)}  # both at work: neither stream has ended
    assert [*one, *two] == []
    assert len(pids) == 2
    ours.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    (again,) = call("good")
    assert int(again.text) not in pids
    ours.close()


def test_its_processes_end_with_the_one_that_started_them():
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_bounds import parse
print(parse("good"), flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("the worker lives on")


def test_pictures_of_a_hostile_text_are_looked_for_within_bounds():
    text = b"![a](" * 300_000
    with pytest.raises(DocumentError, match="parse_s_per_mb"):
        PARSERS.references(Raw(text, "a.md", "text/markdown"))
