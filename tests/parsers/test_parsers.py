"""Every name has its media type and parser; text and Markdown become clean text with a title, and no bytes anything else."""

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsing import read, reason

from relance.errors import DocumentError
from relance.parsers import installed_parsers
from relance.parsers.media_types import language_of, media_type_of

# Names


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.md", "text/markdown"),
        ("A.MD", "text/markdown"),
        ("x/README", "text/plain"),
        ("x.y/README", "text/plain"),
        ("a.ts", "text/x-typescript"),
        ("Dockerfile", "text/x-dockerfile"),
        ("CMakeLists.txt", "text/x-cmake"),
        ("a.jsonl", "application/x-ndjson"),
        ("a.png", "image/png"),
        ("a.tar.gz", "application/octet-stream"),
        (".gitignore", "application/octet-stream"),
        ("noextension", "application/x-unnamed"),
        ("folder.md/file", "application/x-unnamed"),
    ],
)
def test_a_name_gives_the_media_type(name, media_type):
    assert media_type_of(name) == media_type


def test_what_has_a_parser_has_a_version_and_nothing_else_has():
    for name in ("a.md", "a.html", "a.pdf", "a.docx", "a.pptx", "a.xlsx", "a.epub", "a.csv", "a.py", "a.json", "a.txt"):
        assert re.fullmatch(r"[a-z]+-\d+(/[a-z0-9]+)?", installed_parsers().version(media_type_of(name)))
    assert not installed_parsers().knows("image/png")
    assert installed_parsers().version("image/png") == ""


# Text


@pytest.mark.parametrize(
    ("name", "language"),
    [("a.py", "python"), ("a.rs", "rust"), ("a.tsx", "tsx"), ("a.sh", "bash"), ("a.yaml", "yaml"), ("a.h", "c")],
)
def test_source_code_keeps_its_language(name, language):
    parsed = read(name, "x = 1\r\n\tdone\n")
    assert (parsed.text, parsed.syntax, parsed.title) == ("x = 1\n\tdone\n", f"code:{language}", "a")
    assert language_of(media_type_of(name)) == language


def test_the_title_of_restructured_text_is_its_first_heading():
    assert read("a.rst", "====\nThe Pump\n====\n\nText\n").title == "The Pump"
    assert read("a.rst", "Intro\n-----\n\nText\n").title == "Intro"


@pytest.mark.parametrize("text", ["", " \n\t\n", "\ufeff\n"])
def test_a_blank_text_is_a_failure(text):
    assert reason("a.txt", text) == ("empty file" if not text else "no text in it")


def test_a_name_that_promises_nothing_is_tried_as_text():
    assert read("noextension", "words").text == "words"
    assert reason("noextension", bytes(50)) == "binary content in a file named noextension"


# Markdown


def test_front_matter_becomes_metadata_and_leaves_the_text():
    parsed = read("a.md", "---\ntitle: The Pump\ndate: 2024-02-29\ntags: [a, b]\n---\n\n# Other\n\nBody\n")
    assert (parsed.title, parsed.text, parsed.syntax) == ("The Pump", "# Other\n\nBody\n", "markdown")
    assert parsed.metadata == {"date": "2024-02-29", "tags": ["a", "b"]}


def test_front_matter_may_be_toml():
    parsed = read("a.md", '+++\ntitle = "The Pump"\nweight = 3\n+++\nBody')
    assert (parsed.title, parsed.text, parsed.metadata) == ("The Pump", "Body", {"weight": 3})


@pytest.mark.parametrize(
    "text",
    [
        "---\nA paragraph between rules.\n---\nmore",
        "---\nnever: closed\n",
        "text\n---\nkey: value\n---\n",
        "---\n---\n",
    ],
)
def test_what_is_no_front_matter_stays_in_the_text(text):
    parsed = read("a.md", text)
    assert (parsed.text, parsed.metadata) == (text, {})


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# The **Pump** and `its_own_name`\n", "The Pump and its_own_name"),
        ("# 5 * 3 and _so_ on\n", "5 * 3 and so on"),
        ("intro\n\n## Second level ##\n", "Second level"),
        ("The Pump\n========\n", "The Pump"),
        ("```\n# a comment\n```\n# Real\n", "Real"),
        ("~~~\n```\n# no\n~~~\n# Real\n", "Real"),
        ("# [Link](http://x.y) here\n", "Link here"),
        ("#hashtag\n\ntext\n", "a"),
        ("| a |\n---\n# T\n", "T"),
        ("no heading", "a"),
    ],
)
def test_the_title_is_the_first_heading_or_the_name(text, title):
    assert read("notes/a.md", text).title == title


# All formats


@pytest.mark.parametrize(
    "name", ["a.md", "a.html", "a.pdf", "a.docx", "a.xlsx", "a.pptx", "a.epub", "a.rst", "a.py", "a.csv"]
)
@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=1, max_size=400))
def test_no_bytes_give_anything_but_clean_text_or_a_plain_reason(name, data):
    heads = {"a.pdf": b"%PDF-1.4\n", "a.html": b"<p>"}
    try:
        parsed = read(name, heads.get(name, b"") + data)
    except DocumentError as error:
        assert error.uri == name  # noqa: PT017  # either outcome is right
    else:
        assert parsed.text.strip()
        assert parsed.title
        assert unicodedata.is_normalized("NFC", parsed.text)
        parsed.text.encode()
        assert not {"\r", "\0"} & set(parsed.text)
