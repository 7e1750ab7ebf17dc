"""What every parser promises, checked over those that are built in."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from relance.config import RowsSpec
from relance.config.plugins import plugins
from relance.parsers import Raw
from relance.parsers.html import Html
from relance.parsers.markdown import Markdown
from relance.parsers.media_types import media_type_of
from relance.parsers.office import Office
from relance.parsers.pdf import Pdf
from relance.parsers.table_rows import TableRows
from relance.parsers.text import Text
from relance.testing.parsers import ParserContract

DOCS = Path(__file__).parents[2] / "examples" / "handbook" / "docs"
BINARY = bytes(range(256))


def samples(*suffixes: str) -> list[Raw]:
    """Read the documents of the handbook that are called so."""
    paths = sorted(path for path in DOCS.rglob("*") if path.suffix in suffixes)
    return [Raw(path.read_bytes(), path.name, media_type_of(path.name)) for path in paths]


def raw(data: bytes, name: str) -> Raw:
    return Raw(data, name, media_type_of(name))


class TestText(ParserContract):
    parser = Text()
    samples = (raw(b"Plain words.", "a.txt"), raw(b"Pumps\n=====\n\nWords.", "a.rst"), raw(b"x = 1\n", "a.py"),
               raw(b'{"a": 1}', "a.json"), raw("中文文本，这是一个测试。".encode("gbk"), "no-suffix"))  # fmt: skip
    damaged = (raw(BINARY, "a.txt"), raw(b"", "a.py"), raw(b" \n", "a.rst"))


class TestMarkdown(ParserContract):
    parser = Markdown()
    samples = (
        *samples(".md"),
        raw(b"---\ndate: 2024-02-29\n---\n# A\n\n![a barn](a.png) <img src=b.png> ![again](a.png)", "a.md"),
        raw("# 日记\n\n![湖边](湖.png)\n".encode("utf-16"), "b.md"),
    )
    damaged = (raw(BINARY, "a.md"), raw(b"", "b.md"))


class TestHtml(ParserContract):
    parser = Html()
    samples = (*samples(".html"), raw(b"<h1>Winter</h1><p>Snow.</p><figure><img src=/c.png></figure>", "a.html"))
    damaged = (raw(BINARY, "a.html"), raw(b"<p></p>", "b.html"))


class TestPdf(ParserContract):
    parser = Pdf()
    samples = (*samples(".pdf"),)
    damaged = (raw(b"%PDF-1.4\n", "a.pdf"), raw(BINARY, "b.pdf"))


class TestOffice(ParserContract):
    parser = Office()
    samples = (*samples(".docx", ".pptx", ".xlsx", ".epub"),)
    damaged = (raw(BINARY, "a.docx"), raw(b"PK\x03\x04", "a.epub"))


def parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2, 3], "text": ["one", None, "three"], "year": [1999, 2000, 2001]}), buffer)
    return buffer.getvalue()


class TestTableRows(ParserContract):
    parser = TableRows()
    samples = (raw(b"id,text\n1,one\n", "a.csv"), raw(b'{"id": 1, "text": "one"}\n', "a.jsonl"))
    damaged = (raw(BINARY, "a.csv"), raw(parquet(), "a.parquet"))
    collections = (
        (raw(b'{"id": 1, "text": "one"}\n{"id": 2, "text": ""}\n{"id": 1, "text": "three"}\n', "a.jsonl"), RowsSpec()),
        (raw("id;text\n1;ö\n2;two\n".encode("cp1252"), "a.csv"), RowsSpec()),
        (raw(b"id\ttext\n1\tone\n", "a.tsv"), RowsSpec()),
        (raw(parquet(), "a.parquet"), RowsSpec(metadata=["year"])),
    )


def test_every_parser_of_ours_is_checked_here():
    ours = {plugin.load() for plugin in plugins("parsers").values() if plugin.package == "relance"}
    assert ours <= {type(contract.parser) for contract in ParserContract.__subclasses__()}
