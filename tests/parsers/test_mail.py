"""Mails are documents, and so is what is attached; headers are metadata."""

import base64
import io
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from collections_of import documents_in, problems_in, rows_in
from mutations import mutations, truncations
from outlook import outlook
from row_items import row_items

from relance.config import FilesSource
from relance.errors import DocumentError
from relance.parsers import Collection, Row, installed_parsers
from relance.pipeline.text_reader import TextReader
from relance.sources import SourceContext
from relance.sources.files import Files

HEAD = "From: Ann <a@example.org>\nTo: b@example.org\nSubject: Pumps\nDate: Mon, 1 Jul 2024 10:00:00 +0200\n"


def write(*parts, head=HEAD, kind="mixed"):
    boundary = "=b="
    body = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return f'{head}MIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary="{boundary}"\n\n{body}--{boundary}--\n'


TEXT = "Content-Type: text/plain; charset=utf-8\n\nSee the file."
PAGE = "Content-Type: text/html; charset=utf-8\n\n<h1>Winter</h1><p>Snow &lt; 5 cm on the <b>roof</b>.</p>"


def attached(name, data, kind="application/octet-stream"):
    data = data.encode() if isinstance(data, str) else data
    return (f"Content-Type: {kind}\nContent-Disposition: attachment; {name}\n"
            f"Content-Transfer-Encoding: base64\n\n{base64.encodebytes(data).decode()}")  # fmt: skip


def test_headers_are_typed_metadata():
    head = HEAD + ('Cc: =?utf-8?Q?J=C3=B6rg?= <j@example.org>, "Doe, Jane" <d@example.org>\nMessage-ID: <1@x>\n'
                   "In-Reply-To: <0@x>\nReferences: <a@x> <0@x>\nKeywords: water, heat\n")  # fmt: skip
    row = documents_in("a.eml", f"{head}\nCheck the pump.\n> When?\n")["message"]
    assert (row.text, row.title, row.syntax) == ("Check the pump.\n> When?", "Pumps", "text")
    assert row.metadata == {
        "from": "Ann <a@example.org>",
        "to": ["b@example.org"],
        "cc": ["Jörg <j@example.org>", "Doe, Jane <d@example.org>"],
        "date": "2024-07-01T10:00:00+02:00",
        "subject": "Pumps",
        "message_id": "1@x",
        "in_reply_to": "0@x",
        "references": ["a@x", "0@x"],
        "keywords": ["water", "heat"],
    }


@pytest.mark.parametrize(
    ("written", "subject"),
    [
        (b"=?utf-8?B?w5xiZXJwcsO8ZnVuZw==?=", "Überprüfung"),
        (b"=?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=", "日本語"),
        (b"=?gb2312?B?1tDOxA==?= =?gb2312?B?1tDOxA==?=", "中文中文"),
        (b"=?utf-8?Q?caf=C3=A9?= at\n =?iso-8859-1?Q?No=EBl?=", "café at Noël"),
        ("Prüfung".encode(), "Prüfung"),
        ("Prüfung der Pumpe im Februar".encode("latin-1"), "Prüfung der Pumpe im Februar"),
        (b"=?nobody-8?Q?plain?=", "plain"),
        (b"=?utf-8?B?broken", "=?utf-8?B?broken"),
    ],
)
def test_headers_are_decoded(written, subject):
    data = b"From: a@example.org\nSubject: " + written + b"\n\nText.\n"
    assert documents_in("a.eml", data)["message"].title == subject


@pytest.mark.parametrize(
    ("charset", "text"),
    [("iso-2022-jp", "日本語の本文"), ("gb18030", "中文正文"), ("windows-1251", "Привет, мир"), ("utf-8", "Grüße")],
)
@pytest.mark.parametrize("transfer", ["8bit", "base64"])
def test_the_body_is_read_in_its_encoding(charset, text, transfer):
    data = text.encode(charset)
    body = base64.encodebytes(data) if transfer == "base64" else data
    head = (
        f"From: a@example.org\nContent-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {transfer}\n\n"
    )
    assert documents_in("a.eml", head.encode() + body)["message"].text == text


def test_what_is_attached_are_documents_of_their_types():
    data = write(TEXT, attached('filename="notes.md"', "---\ntitle: Notes\n---\n\n# Winter\n"),
                 attached("filename*=utf-8''b%C3%BCro.csv", "id,text\n1,one\n"), attached('filename="logo.bin"', b"\0\1"),
                 attached('filename="notes.md"', "# Other"))  # fmt: skip
    found = documents_in("a.eml", data)
    assert list(found) == ["message", "notes.md", "büro.csv", "notes (2).md"]
    notes = found["notes.md"]
    assert (notes.title, notes.syntax, notes.media_type) == ("Notes", "markdown", "text/markdown")
    assert notes.metadata["from"] == "Ann <a@example.org>"
    message = found["message"]
    assert message.text == "See the file."
    assert message.metadata["attachments"] == ["notes.md", "büro.csv", "logo.bin", "notes.md"]
    assert message.warnings == ("1 attached without a parser for their type: logo.bin",)


def test_a_file_without_text_is_no_failure():
    data = write(TEXT, attached('filename="a.txt"', "  "), attached('filename="b.txt"', "inside"))
    found = documents_in("a.eml", data)
    assert list(found) == ["message", "b.txt"]
    assert found["message"].warnings == ("1 attached without text: a.txt",)


def test_names_of_files_are_decoded():
    names = ("filename*=utf-8''%D0%B0.txt", "filename*0=be; filename*1=ta.txt", 'filename="=?utf-8?B?0LM=?=.txt"',
             'filename="C:\\\\d\\\\gamma.txt"', 'filename="дом.txt"')  # fmt: skip
    data = write(TEXT, *(attached(name, "inside") for name in names))
    assert list(documents_in("a.eml", data)) == ["message", "а.txt", "beta.txt", "г.txt", "gamma.txt", "дом.txt"]


def test_a_damaged_attachment_costs_only_itself():
    data = write(TEXT, attached('filename="a.docx"', b"PK\3\4"))
    assert problems_in("a.eml", data) == {"a.eml#a.docx": "truncated or damaged: not a readable zip archive"}
    assert [row.name for row in rows_in("a.eml", data) if isinstance(row, Row)] == ["message"]


def test_plain_text_comes_before_the_page_and_the_page_is_read_where_there_is_none():
    both = documents_in("a.eml", write(TEXT, PAGE, kind="alternative"))["message"]
    assert both.text == "See the file."
    blank = documents_in("a.eml", write("Content-Type: text/plain\n\n \n", PAGE, kind="alternative"))["message"]
    assert (blank.syntax, "Snow < 5 cm on the" in blank.text) == ("markdown", True)


def test_flowed_lines_are_joined():
    head = f"{HEAD}Content-Type: text/plain; format=flowed\n\n"
    row = documents_in("a.eml", f"{head}One line \ngoes on.\n> A quote \n> as well.\n  stuffed\n-- \nAnn")["message"]
    assert row.text == "One line goes on.\n> A quote as well.\n stuffed\n-- \nAnn"


def test_a_forwarded_mail_is_a_document_with_its_own_attachments():
    inner = write(TEXT, attached('filename="b.txt"', "inside")).replace("Pumps", "Inner")
    data = write(TEXT, f"Content-Type: message/rfc822\n\n{inner}".replace("=b=", "=c="))
    found = documents_in("a.eml", data)
    assert list(found) == ["message", "Inner.eml", "Inner.eml/b.txt"]
    assert found["Inner.eml"].metadata["subject"] == "Inner"
    assert found["Inner.eml/b.txt"].text == "inside"


def test_mails_without_words_of_their_own():
    assert documents_in("a.eml", f"{HEAD}\n\n")["message"].text == "Pumps"
    files_only = write(attached('filename="b.txt"', "inside"), head="From: a@example.org\n")
    assert list(documents_in("a.eml", files_only)) == ["b.txt"]
    assert problems_in("a.eml", "From: a@example.org\n\n\n") == {"a.eml#message": "no text in it"}


def test_what_is_missing_or_unreadable_is_said():
    cut = write(TEXT, attached('filename="a.txt"', "x" * 900))
    warnings = next(row for row in rows_in("a.eml", cut[:-300]) if isinstance(row, Row)).warnings
    assert warnings == ("its end is missing: a part of it is not closed",)
    date = documents_in("a.eml", "From: a@example.org\nDate: some day\n\nText.")["message"]
    assert date.warnings == ("its date 'some day' cannot be read",)
    secret = write("Content-Type: application/pgp-encrypted\n\nVersion: 1", kind="encrypted")
    assert documents_in("a.eml", secret)["message"].warnings == ("what is encrypted in it is not read",)


def test_bytes_that_are_no_mail_are_a_failure():
    for data in (bytes(range(256)) * 4, b"just words\n\nof nobody", b""):
        assert "a.eml" in problems_in("a.eml", data)


def test_a_mailbox_has_many_mails():
    box = (
        "From a@x Mon Jul  1 10:00:00 2024\nFrom: a@x\nSubject: One\nMessage-ID: <1@x>\n\n>From the pump:\nfine\n\n"
        "From b@x Mon Jul  1 10:00:00 2024\nFrom: b@x\nSubject: Two\n\nFrom now on\nall is well.\n\n"
        "From b@x Mon Jul  1 10:00:00 2024\nFrom: a@x\nMessage-ID: <1@x>\nSubject: Again\n\nText.\n\n"
        f"From c@x Mon Jul  1 10:00:00 2024\n{write(TEXT, attached('filename=b.txt', 'inside'))}"
    )
    found = documents_in("a.mbox", box)
    names = list(found)
    assert (names[0], names[2], names[4]) == ("1@x", "1@x-2", f"{names[3]}/b.txt")
    assert found["1@x"].text == "From the pump:\nfine"
    assert found[names[1]].text == "From now on\nall is well."
    assert next(iter(documents_in("a.mbox", box.replace("\n", "\r\n")))) == "1@x"
    assert problems_in("a.mbox", "Hello") == {"a.mbox": "no mailbox: no line in it begins with `From `"}


def test_a_mail_over_the_limit_costs_only_itself():
    start = "From a@x Mon Jul  1 10:00:00 2024\nFrom: a@x\n\n"
    found = rows_in("a.mbox", f"{start}one\n\n{start}{'x' * 78}\n{'y' * 2_000_000}\n\n{start}three\n")
    assert [row.text for row in found if isinstance(row, Row)] == ["one", "three"]
    (error,) = [row for row in found if isinstance(row, DocumentError)]
    assert error.uri == "a.mbox#line-6"
    assert "longer than max_size" in error.reason


@pytest.mark.parametrize(
    "data",
    [
        "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(3000)),
        "Content-Type: message/rfc822\n\n" * 3000,
        "Content-Type: multipart/mixed; boundary=b\n\n" + "--b\n\nx\n" * 100_000,
        "Content-Type: text/plain;" + " a*0=b;" * 100_000 + "\n\nx",
        "Content-Type: text/plain; " + ";" * 1_000_000 + "\n\nx",
        "To: " + "a@x, " * 100_000 + "\n\nx",
        "To: " + "(" * 200_000 + "\n\nx",
        "Subject: " + "=?utf-8?Q?a?= " * 50_000 + "\n\nx",
        "References: " + "<a@x> " * 100_000 + "\n\nx",
        "Date: " + "1 " * 100_000 + "\n\nx",
        "X: y\n" * 50_000 + "\n\nx",
    ],
    ids=["deep", "forwarded", "parts", "parameters", "semicolons", "people", "brackets", "words", "ids", "date", "headers"],
)  # fmt: skip
def test_hostile_mails_end_soon(data):
    began = time.process_time()
    rows_in("a.eml", f"From: a@example.org\n{data}")
    assert time.process_time() - began < 3


@pytest.mark.parametrize("form", ["eml", "mbox"])
def test_damaged_mails_are_documents_or_failures_in_one_sentence(form):
    whole = write(
        TEXT, PAGE, attached('filename="n.md"', "# A\n\nB"), f"Content-Type: message/rfc822\n\n{HEAD}\nInside"
    )
    whole = (f"From a@x Mon Jul  1 10:00:00 2024\n{whole}" if form == "mbox" else whole).encode()
    for data in [*mutations(whole, 60), *truncations(whole, 20)]:
        for found in rows_in(f"a.{form}", data):
            if isinstance(found, DocumentError):
                assert "\n" not in found.reason
                assert "cannot be parsed" not in found.reason


def test_a_mail_travels_to_documents_with_all_it_has(tmp_path):
    (tmp_path / "a.eml").write_text(write(TEXT, attached('filename="n.md"', "# A"), attached("filename=x.bin", b"\1")))
    section = FilesSource(type="files", root=tmp_path)
    reader: Any = TextReader(Files(section, SourceContext(tmp_path, 0)), installed_parsers())
    (collection,) = reader.list()
    items = [item for item in row_items(reader.rows(collection)) if not isinstance(item, DocumentError)]
    first, second = (reader.parse(reader.read(item)) for item in items)
    assert (first.uri, first.media_type, first.syntax) == ("a.eml#message", "message/rfc822", "text")
    assert first.warnings == ("1 attached without a parser for their type: x.bin",)
    assert (second.uri, second.media_type, second.syntax) == ("a.eml#n.md", "text/markdown", "markdown")
    assert second.metadata["path"] == "a.eml"
    again = [item.version for item in row_items(reader.rows(collection)) if not isinstance(item, DocumentError)]
    assert again == [item.version for item in items]


def test_the_media_of_mails_are_not_looked_for():
    opened = Collection(io.BytesIO(write(TEXT).encode()), "a.eml", "message/rfc822", media=True)
    assert list(installed_parsers().rows(opened)) == []


def test_messages_of_outlook_are_mails():
    texts = {
        0x0037: "Prüfung",
        0x1000: "Check the pump.\r\n> When?",
        0x0C1A: "Ann",
        0x5D01: "a@example.org",
        0x1035: "<1@x>",
    }
    inner = outlook({0x0037: "Inner", 0x1000: "Inside."}, root=False)
    data = outlook(
        texts,
        times={0x0039: datetime(2024, 7, 1, 8, tzinfo=UTC)},
        people=[("Bob", "b@example.org", 1), ("", "c@example.org", 2)],
        files=[("notes.md", b"# Winter"), ("logo.bin", b"\0")],
        mails=[inner],
    )
    found = documents_in("a.msg", data)
    assert list(found) == ["message", "notes.md", "Inner.msg"]
    message = found["message"]
    assert (message.title, message.text) == ("Prüfung", "Check the pump.\n> When?")
    assert message.metadata == {
        "from": "Ann <a@example.org>",
        "to": ["Bob <b@example.org>"],
        "cc": ["c@example.org"],
        "date": "2024-07-01T08:00:00+00:00",
        "subject": "Prüfung",
        "message_id": "1@x",
        "attachments": ["notes.md", "logo.bin", "Inner.msg"],
    }
    assert found["Inner.msg"].text == "Inside."
    for damaged in [*mutations(data, 60), *truncations(data, 20)]:
        for each in rows_in("a.msg", damaged):
            if isinstance(each, DocumentError):
                assert "\n" not in each.reason
                assert "cannot be parsed" not in each.reason
