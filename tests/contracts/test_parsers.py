"""What every parser promises, checked over those that are built in."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from office_files import flat_odf
from workbooks import sheet, xlsx

from relance.config import RowsSpec
from relance.config.plugins import plugins
from relance.parsers import Raw
from relance.parsers.bibliographies import Bibliographies
from relance.parsers.calendars import Calendars
from relance.parsers.html import Html, SavedPage
from relance.parsers.mail import Mail
from relance.parsers.markdown import Markdown
from relance.parsers.markup import Markup
from relance.parsers.media_types import media_type_of
from relance.parsers.notebook import Notebook
from relance.parsers.office import Office
from relance.parsers.pdf import Pdf
from relance.parsers.table_rows import TableRows
from relance.parsers.text import Text
from relance.parsers.trees import Trees
from relance.testing.parsers import ParserContract

DOCS = Path(__file__).parents[2] / "examples" / "handbook" / "docs"
BINARY = bytes(range(256))
FLAT = flat_odf("text", "<text:p>Words</text:p>")


def samples(*suffixes: str) -> list[Raw]:
    """Read the documents of the handbook that are called so."""
    paths = sorted(path for path in DOCS.rglob("*") if path.suffix in suffixes)
    return [Raw(path.read_bytes(), path.name, media_type_of(path.name)) for path in paths]


def raw(data: bytes, name: str) -> Raw:
    return Raw(data, name, media_type_of(name))


class TestText(ParserContract):
    parser = Text()
    samples = (raw(b"Plain words.", "a.txt"), raw(b"x = 1\n", "a.py"),
               raw("中文文本，这是一个测试。".encode("gbk"), "no-suffix"))  # fmt: skip
    damaged = (raw(BINARY, "a.txt"), raw(b"", "a.py"), raw(b" \n", "a.txt"))


class TestMarkup(ParserContract):
    parser = Markup()
    samples = (raw(b"Pumps\n=====\n\nWords.", "a.rst"), raw(b"= Pumps\n\nWords.", "a.adoc"),
               raw(b"* Pumps\nWords.", "a.org"), raw(b"\\section{Pumps}\nWords.", "a.tex"),
               raw(b"== Pumps ==\nWords.", "a.mediawiki"))  # fmt: skip
    damaged = (raw(BINARY, "a.rst"), raw(b" \n", "b.adoc"))


class TestNotebook(ParserContract):
    parser = Notebook()
    samples = (raw(b'{"nbformat": 4, "cells": [{"cell_type": "markdown", "source": ["# Pumps"]}]}', "a.ipynb"),)
    damaged = (raw(b'{"nbformat": 4, "cells": [', "a.ipynb"), raw(b"[]", "b.ipynb"))


class TestTrees(ParserContract):
    parser = Trees()
    samples = (raw(b'{"a": 1}', "a.json"), raw(b"<a><title>Pumps</title><p>Words</p></a>", "a.xml"))
    damaged = (raw(BINARY, "a.json"), raw(b"", "b.xml"))


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


class TestSavedPage(ParserContract):
    parser = SavedPage()
    samples = (
        raw(b"MIME-Version: 1.0\nContent-Type: multipart/related; boundary=B\n\n--B\nContent-Type: text/html\n\n<h1>A</h1>"
            b"<p>Snow.<img src=http://x.example/a.png>\n--B--\n", "a.mht"),
    )  # fmt: skip
    damaged = (raw(BINARY, "a.mhtml"), raw(b"Content-Type: multipart/related; boundary=B\n\n--B\n", "b.mht"))


class TestPdf(ParserContract):
    parser = Pdf()
    samples = (*samples(".pdf"),)
    damaged = (raw(b"%PDF-1.4\n", "a.pdf"), raw(BINARY, "b.pdf"))


class TestOffice(ParserContract):
    parser = Office()
    samples = (*samples(".docx", ".pptx", ".xlsx", ".epub"), raw(rb"{\rtf1 Words}", "a.rtf"), raw(FLAT, "a.fodt"))
    damaged = (
        raw(BINARY, "a.docx"),
        raw(b"PK\x03\x04", "a.epub"),
        raw(rb"{\rtf1 Words", "b.rtf"),
        raw(FLAT[:-9], "b.fodt"),
    )


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
        (raw(b'[{"a": {"id": 1}, "text": "one"}, {"text": "two"}]', "a.json"), RowsSpec(id="a.id")),
        (raw(b"text\none\none\n", "a.csv"), RowsSpec()),
        (
            raw(xlsx({"A": sheet("<row><c>id</c><c>text</c></row>", "<row><c>1</c><c>one</c></row>")}), "a.xlsx"),
            RowsSpec(),
        ),
    )


MAIL = b"From: a@example.org\nSubject: Pumps\nDate: Mon, 1 Jul 2024 10:00:00 +0200\n\nCheck the pump.\n"


class TestMail(ParserContract):
    parser = Mail()
    samples = (raw(MAIL, "a.eml"),)
    damaged = (raw(BINARY, "a.eml"), raw(BINARY, "a.msg"), raw(b"words\n", "a.mbox"), raw(b"", "b.eml"))
    collections = (
        (raw(MAIL, "a.eml"), None),
        (
            raw(
                b"From a@x Mon Jul  1 10:00:00 2024\n" + MAIL + b"\nFrom a@x Mon Jul  1 10:00:00 2024\n" + MAIL,
                "a.mbox",
            ),
            None,
        ),
    )


EVENT = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:Inspection\nEND:VEVENT\nEND:VCALENDAR\n"
CARD = b"BEGIN:VCARD\nFN:Ann\nEND:VCARD\n"
ENTRY = b"@book{a, title = {Pumps}, year = 1999}\n"


class TestCalendars(ParserContract):
    parser = Calendars()
    samples = (raw(EVENT, "a.ics"), raw(CARD, "a.vcf"))
    damaged = (raw(BINARY, "a.ics"), raw(b"words\n", "a.vcf"), raw(b"", "b.ics"))
    collections = ((raw(EVENT * 2, "a.ics"), None), (raw(CARD, "a.vcf"), None))


class TestBibliographies(ParserContract):
    parser = Bibliographies()
    samples = (raw(ENTRY, "a.bib"), raw(b"TY  - BOOK\nTI  - Pumps\nER  - \n", "a.ris"))
    damaged = (raw(BINARY, "a.bib"), raw(b"words\n", "a.ris"), raw(b"@book{a, title = {", "b.bib"))
    collections = ((raw(ENTRY * 2 + b"@book{b, title = {\n", "a.bib"), None),)


def test_every_parser_of_ours_is_checked_here():
    ours = {plugin.load() for plugin in plugins("parsers").values() if plugin.package == "relance"}
    assert ours <= {type(contract.parser) for contract in ParserContract.__subclasses__()}
