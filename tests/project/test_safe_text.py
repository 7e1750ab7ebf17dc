"""What is shown holds no password and steers no terminal."""

from __future__ import annotations

import logging
import pickle
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relance.cli.terminal import Terminal
from relance.errors import ConfigurationError, DocumentError, RelanceError
from relance.safe_text import protect_logs, redact, visible

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://key:hunter2@minio:9000/bucket", "s3://***@minio:9000/bucket"),
        ("postgresql+asyncpg://me:hunter2@db/prefect", "postgresql+asyncpg://***@db/prefect"),
        ("http://hunter2@proxy:3128", "http://***@proxy:3128"),
        ("socks5://me:hunt@er#hunter2?@127.0.0.1:9 is away", "socks5://***@127.0.0.1:9 is away"),
        ("two: http://a:hunter2@b/c and http://d:hunter2@e", "two: http://***@b/c and http://***@e"),
        ("https://x.test/a.png?sv=1&sig=hunter2&w=3", "https://x.test/a.png?sv=1&sig=***&w=3"),
        ("https://x.test/?api-version=1&api_key=hunter2", "https://x.test/?api-version=1&api_key=***"),
        ("https://x.test/a?X-Amz-Signature=hunter2 (403)", "https://x.test/a?X-Amz-Signature=*** (403)"),
        ("a://u:${NAME}@h/d, a://u:${NAME:-hunter2}@h", "a://u:${NAME}@h/d, a://***@h"),
        ("a://u:${NAME}@b:hunter2@h", "a://***@h"),
        ("https://x.test/img@2x.png", "https://x.test/img@2x.png"),
        ("http://x.test:80/a/b@c", "http://x.test:80/a/b@c"),
        ("write to me@x.test", "write to me@x.test"),
    ],
)
def test_no_password_or_token_of_an_address_is_shown(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert str(ConfigurationError(text)) == shown
    assert DocumentError("docs/a.md", text).reason == shown
    error = pickle.loads(pickle.dumps(DocumentError("docs/a.md", text)))
    assert str(error) == f"docs/a.md: {shown}"


PASSWORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"], exclude_characters="/"), min_size=6)


@given(PASSWORDS, st.sampled_from(["http", "s3", "postgresql+psycopg", "socks5h"]))
def test_whatever_the_password_is(password: str, scheme: str) -> None:
    shown = str(RelanceError(f"the store {scheme}://someone:{password}@host.test/path does not answer"))
    assert shown == f"the store {scheme}://***@host.test/path does not answer"


BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@given(st.text())
@example("\x1b[31mred\x1b[0m \x9b2J \u202egpj.exe \r\nrelance: done")
@example("\ud800")
def test_no_name_steers_a_terminal(name: str) -> None:
    shown = visible(name, line=True)
    assert not BAD.search(shown)
    assert "\n" not in shown
    assert "\t" not in shown
    shown.encode()
    kept = [each for each in name if unicodedata.category(each)[0] not in "CZ"]
    assert [each for each in shown if each in set(kept)][: len(kept)] or not kept


@pytest.mark.parametrize("text", ["naïve Straße", "流程图", "می\u200cخواهم", "👩\u200d👩\u200d👧", "क्\u200dष", "שלום"])
def test_what_people_write_is_left_as_it_is(text: str) -> None:
    assert visible(text, line=True) == text


NAME = "evil\x1b]0;owned\x07\u202efdp\nrelance: all is well.md"


def test_what_is_printed_is_safe(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.say(NAME)
    terminal.problem(f"{NAME}: http://me:{SECRET}@host/x does not answer")
    terminal.note(NAME)
    terminal.pairs(NAME, {"name": NAME})
    terminal.reason({"uris": [NAME], "documents": 1, "reason": NAME, "indexed": False})
    shown = "".join(capsys.readouterr())
    assert not BAD.search(shown)
    assert SECRET not in shown
    assert r"\x1b]0;owned\u202efdp" in shown, "Rich leaves the bell out"
    assert r"\x07\u202efdp\nrelance: all is well.md" in shown, "a failure stays on its line"


def test_what_is_logged_is_safe(caplog: pytest.LogCaptureFixture) -> None:
    before = logging.getLogRecordFactory()
    try:
        protect_logs()
        protect_logs()
        logging.getLogger("relance.events").warning("%s: %d at %s", NAME, 3, f"http://me:{SECRET}@host")
        logging.getLogger("someone.else").warning("%s", NAME)
    finally:
        logging.setLogRecordFactory(before)
    ours, theirs = caplog.messages
    assert ours == r"evil\x1b]0;owned\x07\u202efdp\nrelance: all is well.md: 3 at http://***@host"
    assert theirs == NAME


def test_a_hostile_name_reaches_no_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from relance.cli.main import main

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "bad\x1b[2J\u202e.pdf").write_bytes(b"%PDF-1.7 nonsense")
    (tmp_path / "index.yaml").write_text(
        "name: n\nsources: [{type: files, root: docs}]\nembedding: {model: fake/hash}\nstore: {uri: ./db}\n"
    )
    for command in (["ingest", "--direct"], ["failures"], ["plan"]):
        with pytest.raises(SystemExit):
            main([command[0], str(tmp_path / "index.yaml"), *command[1:]])
    shown = "".join(capfd.readouterr())
    assert r"bad\x1b[2J\u202e.pdf" in shown
    assert not BAD.search(shown)
