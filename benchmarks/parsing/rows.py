"""Rows and mails: what each reader keeps of them, and what it costs.

    uv run --group dev python benchmarks/parsing/rows.py [--rows 20000] [--files DIR]

Tables are made here, so that each cell is known; DIR holds mails (EML), such as those of test suites. Without it those
of Python's own test suite are read, where it is installed. Readers that are not installed are left out.

cells    of all that were written: equal in value and type (a date is a date, 7 is no 7.0)
far      a sheet of 2,000 rows whose last cells stand in the last possible column
words    of the plain text of all parts, as Python's strict policy decodes them
headers  subject, sender and date that are what that policy says
s, MB    CPU seconds, and the peak of the process
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import multiprocessing
import re
import resource
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
COLUMNS = ["id", "text", "count", "price", "day", "open"]
SHEET = "worksheets/sheet1"
WORD = re.compile(r"[^\W\d_]+|\d+")


def main() -> None:
    """Run all readers and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--files", type=Path, help="folder with mails")
    arguments = parser.parse_args()
    print("| format | reader | cells | rows/s | MB |\n|---|---|---|---|---|")
    for form in WRITERS:
        for name, reader in READERS.items():
            if (form == "xlsx" or name == "relance") and (name == "relance" or find_spec(name)):
                print(f"| {form} | {name} | {in_a_process(table, form, reader, arguments.rows)} |", flush=True)
    print("\n| far | cells | s | MB |\n|---|---|---|---|")
    for name, reader in READERS.items():
        if name == "relance" or find_spec(name):
            print(f"| {name} | {in_a_process(far, reader)} |", flush=True)
    folder = arguments.files or Path(sys.modules["email"].__file__ or "").parents[1] / "test/test_email/data"
    print("\n| mails | words | headers | attached | s | MB |\n|---|---|---|---|---|---|")
    for name, read in MAILS.items():
        if name == "relance" or find_spec(name):
            print(f"| {name} | {in_a_process(mails, read, folder)} |", flush=True)


def in_a_process(run: Callable[..., str], *arguments: Any) -> str:
    """Run in a process of its own, so that its peak is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(run, arguments)


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def rows_of(count: int) -> list[list[Any]]:
    """Make rows whose values differ in kind."""
    day = datetime(2024, 1, 1)  # noqa: DTZ001  # cells have no zone
    return [
        [f"r{n}", f"Row {n}: p < 0.05 & more", n * 7, n / 8, day + timedelta(days=n % 900, hours=n % 24), n % 2 == 0]
        for n in range(count)
    ]


def xlsx(rows: list[list[Any]], *, far: bool = False) -> bytes:
    """Write a workbook with shared texts and a format for dates."""
    texts: dict[str, int] = {}
    lines = []
    for number, row in enumerate([COLUMNS, *rows], 1):
        cells = []
        for at, value in enumerate(row):
            place = f"{chr(65 + at)}{number}"
            if isinstance(value, str):
                cells.append(f'<c r="{place}" t="s"><v>{texts.setdefault(value, len(texts))}</v></c>')
            elif isinstance(value, bool):
                cells.append(f'<c r="{place}" t="b"><v>{int(value)}</v></c>')
            elif isinstance(value, datetime):
                days = (value - datetime(1899, 12, 30)) / timedelta(days=1)  # noqa: DTZ001
                cells.append(f'<c r="{place}" s="1"><v>{days!r}</v></c>')
            else:
                cells.append(f'<c r="{place}"><v>{value!r}</v></c>')
        last = f'<c r="XFD{number}"><v>1</v></c>' if far else ""
        lines.append(f'<row r="{number}">{"".join(cells)}{last}</row>')
    shared = "".join(f"<si><t>{text.replace('&', '&amp;').replace('<', '&lt;')}</t></si>" for text in texts)
    office = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    kinds = {"workbook": "sheet.main", "styles": "styles", "sharedStrings": "sharedStrings"} | {SHEET: "worksheet"}
    types = "".join(
        f'<Override PartName="/xl/{part}.xml" ContentType="{office}.{kind}+xml"/>' for part, kind in kinds.items()
    )
    package = "application/vnd.openxmlformats-package.relationships+xml"
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        f'<Default Extension="rels" ContentType="{package}"/>{types}</Types>',
        "_rels/.rels": relations(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
        '<sheet name="A" sheetId="1" r:id="r0"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            ("worksheet", f"{SHEET}.xml"), ("sharedStrings", "sharedStrings.xml"), ("styles", "styles.xml")
        ),
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><fonts count="1"><font/></fonts>'
        '<fills count="1"><fill><patternFill/></fill></fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
        '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{shared}</sst>',
        f"xl/{SHEET}.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>',
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return buffer.getvalue()


def relations(*targets: tuple[str, str]) -> str:
    found = "".join(
        f'<Relationship Id="r{at}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for at, (kind, target) in enumerate(targets)
    )
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{found}</Relationships>'
    )


def as_json(rows: list[list[Any]]) -> list[str]:
    return [json.dumps(dict(zip(COLUMNS, row, strict=True)), default=datetime.isoformat) for row in rows]


def as_csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([COLUMNS, *rows])
    return text.getvalue().encode()


def parquet(rows: list[list[Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))), buffer)
    return buffer.getvalue()


def relance(data: bytes, form: str) -> Iterator[list[Any]]:
    from relance.config import RowsSpec
    from relance.parsers import Collection, Row
    from relance.parsers.media_types import media_type_of
    from relance.parsers.table_rows import TableRows

    spec = RowsSpec(metadata=COLUMNS[2:], sheet="A" if form == "xlsx" else "")
    for row in TableRows().rows(Collection(io.BytesIO(data), f"t.{form}", media_type_of(f"t.{form}"), spec)):
        if isinstance(row, Row):
            yield [row.name, row.text, *(row.metadata[column] for column in COLUMNS[2:])]


def openpyxl(data: bytes, form: str) -> Iterator[list[Any]]:  # noqa: ARG001
    import openpyxl as library  # ty: ignore[import-not-found]

    sheet = library.load_workbook(io.BytesIO(data), read_only=True, data_only=True).worksheets[0]
    for row in sheet.iter_rows(min_row=2, values_only=True):
        yield list(row)


def calamine(data: bytes, form: str) -> Iterator[list[Any]]:  # noqa: ARG001
    import python_calamine as library  # ty: ignore[import-not-found]

    rows = library.load_workbook(io.BytesIO(data)).get_sheet_by_index(0).iter_rows()
    next(rows)
    yield from rows


WRITERS: dict[str, Callable[[list[list[Any]]], bytes]] = {
    "jsonl": lambda rows: "\n".join(as_json(rows)).encode(),
    "json": lambda rows: f"[{','.join(as_json(rows))}]".encode(),
    "csv": as_csv,
    "parquet": parquet,
    "xlsx": xlsx,
}
READERS = {"relance": relance, "openpyxl": openpyxl, "python_calamine": calamine}


def table(form: str, reader: Callable[[bytes, str], Iterator[list[Any]]], count: int) -> str:
    rows = rows_of(count)
    data = WRITERS[form](rows)
    began = time.process_time()
    found = list(reader(data, form))
    spent = time.process_time() - began
    right = sum(same(cell, value, form) for row, values in zip(found, rows, strict=False)
                for cell, value in zip(row, values, strict=False))  # fmt: skip
    return f"{right / (len(COLUMNS) * count):.2%} | {count / spent:,.0f} | {peak()}"


def same(cell: Any, value: Any, form: str) -> bool:
    """Whether a cell is what was written; CSV has texts only, metadata has dates as ISO 8601."""
    if form == "csv":
        return cell == str(value)
    if isinstance(value, datetime):
        return cell in (value, value.isoformat())
    return cell == value and (type(cell) is type(value) or (isinstance(value, float) and value.is_integer()))


def far(reader: Callable[[bytes, str], Iterator[list[Any]]]) -> str:
    rows = rows_of(2000)
    data = xlsx(rows, far=True)
    began = time.process_time()
    right = 0
    for row, values in zip(reader(data, "xlsx"), rows, strict=False):
        right += sum(same(cell, value, "xlsx") for cell, value in zip(row, values, strict=False))
    return f"{right / (6 * len(rows)):.2%} | {time.process_time() - began:.2f} | {peak()}"


def relance_mail(data: bytes) -> tuple[str, dict[str, Any], int]:
    from relance.parsers import Collection, Row, installed_parsers

    found = list(installed_parsers().rows(Collection(io.BytesIO(data), "a.eml", "message/rfc822", None)))
    rows = [row for row in found if isinstance(row, Row)]
    return "\n".join(row.text for row in rows), rows[0].metadata if rows else {}, max(0, len(rows) - 1)


def kreuzberg_mail(data: bytes) -> tuple[str, dict[str, Any], int]:
    import kreuzberg  # ty: ignore[import-not-found]

    try:
        result = kreuzberg.extract_bytes_sync(
            data, "message/rfc822", config=kreuzberg.ExtractionConfig(use_cache=False)
        )
    except kreuzberg.KreuzbergError:
        return "", {}, 0
    metadata: dict[str, Any] = dict(result.metadata or {})
    sender = str(metadata.get("from_email") or "")
    return result.content, {"subject": metadata.get("subject"), "from": sender, "date": metadata.get("date")}, 0


MAILS = {"relance": relance_mail, "kreuzberg": kreuzberg_mail}


def mails(read: Callable[[bytes], tuple[str, dict[str, Any], int]], folder: Path) -> str:
    kept = wanted = right = headers = attached = 0
    spent = 0.0
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        data = path.read_bytes()
        try:
            message: Any = message_from_bytes(data, policy=policy.default)
            words, facts = reference(message)
        except Exception:  # the strict policy cannot read every mail
            continue
        if not message.keys():
            continue
        began = time.process_time()
        text, metadata, files = read(data)
        spent += time.process_time() - began
        have = Counter(word.lower() for word in WORD.findall(text))
        kept, wanted, attached = kept + sum((have & words).values()), wanted + sum(words.values()), attached + files
        for name, value in facts.items():
            headers += 1
            right += agrees(name, value, metadata.get(name))
    return f"{kept / max(1, wanted):.1%} | {right / max(1, headers):.1%} | {attached} | {spent:.2f} | {peak()}"


def reference(message: EmailMessage) -> tuple[Counter[str], dict[str, Any]]:
    words: Counter[str] = Counter()
    for part in message.walk():
        if part.get_content_type() == "text/plain":
            content = part.get_content()
            words += Counter(word.lower() for word in WORD.findall(content if isinstance(content, str) else ""))
    facts: dict[str, Any] = {}
    if message["subject"]:
        facts["subject"] = " ".join(str(message["subject"]).split())
    if message["from"] and message["from"].addresses:
        facts["from"] = message["from"].addresses[0].addr_spec
    if message["date"] and message["date"].datetime:
        facts["date"] = message["date"].datetime
    return words, facts


def agrees(name: str, value: Any, found: Any) -> bool:
    if name == "date":
        try:
            return datetime.fromisoformat(str(found)).timestamp() == value.timestamp()
        except ValueError:
            return False
    return str(value) in str(found) if name == "from" else " ".join(str(found or "").split()) == value


if __name__ == "__main__":
    main()
