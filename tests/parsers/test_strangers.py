"""A parser of somebody else: installed, given, with options; for a suffix nobody knew."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from relance.config import RowsSpec
from relance.config.spec_model import SpecModel
from relance.errors import DocumentError, MissingExtraError
from relance.parsers import Collection, Parsed, Parser, Raw, Row, installed_parsers, open_parsers
from relance.parsers.markdown import Markdown
from relance.testing.parsers import ParserContract


class LettersSpec(SpecModel):
    signature: bool = True


class Letters(Parser):
    """A collection of letters, each begun by a line `From NAME`."""

    Spec = LettersSpec
    version = "letters-1"
    media_types = ("application/x-letters",)
    suffixes: ClassVar = {"letters": "application/x-letters"}

    def parse(self, raw: Raw) -> Parsed:
        raise DocumentError(raw.uri, "letters are read one by one")

    def is_collection(self, media_type: str, rows: RowsSpec | None) -> bool:
        return True

    def rows(self, collection: Collection) -> Iterator[Row | DocumentError]:
        name, lines = "", []
        for line in [*collection.stream.read().decode().splitlines(), "From "]:
            if line.startswith("From "):
                if name:
                    yield Row(name, "\n".join(lines), f"Letter of {name}", {"lines": len(lines)})
                name, lines = line.removeprefix("From "), []
            else:
                lines.append(line)


DATA = b"From ann\nThe gauge is wet.\nFrom bob\nThe weir is dry.\n"


class TestLetters(ParserContract):
    parser = Letters()
    collections = ((Raw(DATA, "a.letters", "application/x-letters"), None),)


PACKAGE = {
    "strangers_letters.py": Path(__file__).read_text(encoding="utf-8").partition("class TestLetters")[0],
    "broken_parser.py": "import no_such_library\n",
    "strangers_letters-2.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: strangers-letters\nVersion: 2.0\n",
    "strangers_letters-2.0.dist-info/entry_points.txt": (
        "[relance.parsers]\nletters = strangers_letters:Letters\nbroken = broken_parser:Broken\n"
    ),
}
RUN = """
import json
from relance.index import Index
index = Index("index.yaml")
report = index.ingest()
rows = index.table().to_arrow().select(["uri", "text", "title"]).to_pylist()
print(json.dumps([report.failed, sorted((row["uri"], row["text"], row["title"]) for row in rows)]))
"""


@pytest.mark.slow
def test_an_installed_parser_reads_files_whose_suffix_nobody_knew(tmp_path: Path) -> None:
    for name, text in PACKAGE.items():
        path = tmp_path / "installed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/mail.letters").write_bytes(DATA)
    (tmp_path / "docs/note.md").write_text("# Note\n\nA note.\n", encoding="utf-8")
    spec = "name: n\nsources: [{type: files, root: docs}]\nembedding: {model: fake/hash}\n"
    (tmp_path / "index.yaml").write_text(spec, encoding="utf-8")
    code = f"import sys; sys.path.insert(0, 'installed')\n{RUN}"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    failed, rows = json.loads(done.stdout.splitlines()[-1])
    assert failed == 0
    assert rows == [
        ["docs/mail.letters#ann", "The gauge is wet.", "Letter of ann"],
        ["docs/mail.letters#bob", "The weir is dry.", "Letter of bob"],
        ["docs/note.md", "# Note\n\nA note.", "Note"],
    ]
    (line,) = [line for line in done.stderr.splitlines() if "broken" in line]
    assert "strangers-letters 2.0 does not import: No module named 'no_such_library'" in line


class Notes(Markdown):
    """Another reading of Markdown."""

    version = "notes-1"
    suffixes: ClassVar = {"txt": "text/markdown"}


def test_what_is_given_comes_before_what_is_installed() -> None:
    parsers = open_parsers(given={"notes": Notes})
    assert parsers.version("text/markdown") == "notes-1"
    assert parsers.media_type_of("a/b.TXT") == "text/markdown"
    assert parsers.version("text/plain") == installed_parsers().version("text/plain")
    instance = Notes()
    assert open_parsers(given={"markdown": instance}).of("text/markdown") is instance


def test_a_parser_that_names_a_type_comes_before_one_that_takes_all_of_its_kind() -> None:
    class AnyText(Notes):
        version = "any-1"
        media_types = ("text/*",)

    parsers = open_parsers(given={"any": AnyText})
    assert parsers.version("text/markdown") == installed_parsers().version("text/markdown")
    assert parsers.version("text/plain") == "any-1"


def test_options_are_part_of_the_version_where_they_differ_from_the_default() -> None:
    plain = open_parsers(given={"letters": Letters}).version("application/x-letters")
    same = open_parsers({"letters": LettersSpec()}, {"letters": Letters}).version("application/x-letters")
    other = open_parsers({"letters": LettersSpec(signature=False)}, {"letters": Letters})
    assert plain == same == "letters-1"
    assert other.version("application/x-letters").startswith("letters-1/")
    found = other.of("application/x-letters")
    assert found is not None
    assert found.spec == LettersSpec(signature=False)


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (MissingExtraError("Reading letters", "letters"), "pip install 'relance[letters]'"),
        (ZeroDivisionError("by\nzero"), "cannot be parsed (ZeroDivisionError: by zero)"),
        (DocumentError("a.md", "torn"), "torn"),
    ],
)
def test_whatever_a_parser_raises_is_a_failure_of_its_document(raised: Exception, reason: str) -> None:
    class Raises(Notes):
        def parse(self, raw: Raw) -> Parsed:
            raise raised

        def rows(self, collection: Collection) -> Iterator[Row | DocumentError]:
            yield Row("one", "text", "", {})
            raise raised

    parsers = open_parsers(given={"raises": Raises()})
    with pytest.raises(DocumentError) as caught:
        parsers.parse(Raw(b"x", "a.md", "text/markdown"))
    assert reason in caught.value.reason
    assert caught.value.uri == "a.md"
    rows = parsers.rows(Collection(io.BytesIO(b"x"), "a.md", "text/markdown"))
    assert next(rows) == Row("one", "text", "", {})
    with pytest.raises(DocumentError) as caught:
        next(rows)
    assert reason in caught.value.reason
