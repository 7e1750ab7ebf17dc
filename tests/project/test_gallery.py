"""DashScope without a key, as its page shows it: the commands, as they stand there, with what they print."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from relance.index import Index

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "without-a-key.md").read_text(encoding="utf-8")
SERVE, *THEN = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]
PORT = "8765"
INSTALLED = re.compile(r"uv run -q (--extra [a-z]+ )+relance ")


@dataclass(frozen=True, slots=True)
class Played:
    """What came of the page's commands.

    Attributes:
        ran: the commands, in their order, and how each ended.
        served: how the emulator ended.
        counted: what the emulator had counted by then.
        home: where they ran.
    """

    ran: dict[str, subprocess.CompletedProcess[str]]
    served: subprocess.CompletedProcess[str]
    counted: dict[str, Any]
    home: Path

    def __iter__(self) -> Iterator[subprocess.CompletedProcess[str]]:
        return iter(self.ran.values())

    def of(self, words: str) -> str:
        """Return what the one command with these words has printed."""
        (output,) = [done.stdout for command, done in self.ran.items() if words in command]
        return output


def arguments(command: str) -> list[str]:
    """Let the installed environment stand for the one uv would make."""
    assert INSTALLED.match(command), command
    return [sys.executable, "-m", "relance.cli.main", *shlex.split(INSTALLED.sub("", command, count=1))]


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Run the commands on a copy of the gallery, on a free port instead of the page's.

    The ingest runs with `--direct`, which it has not on the page: a temporary Prefect server would take most of the
    time, and the flow has tests of its own.
    """
    home, port = tmp_path_factory.mktemp("checkout"), free_port()
    leave = shutil.ignore_patterns("lancedb")
    shutil.copytree(ROOT / "examples" / "gallery", home / "examples" / "gallery", ignore=leave)
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("DASHSCOPE_", "PREFECT_"))}
    environment = ours | {"COLUMNS": "100", "GALLERY_URL": f"http://127.0.0.1:{port}/files"}
    emulator = subprocess.Popen(
        [*arguments(SERVE), "--port", port], cwd=home, env=ours, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert emulator.stdout is not None
        said = [emulator.stdout.readline() for _ in range(3)]
        ran: dict[str, subprocess.CompletedProcess[str]] = {}
        for command in THEN:
            if command.startswith("export "):
                name, _, value = command.removeprefix("export ").partition("=")
                environment[name] = value.replace(PORT, port)
                assert f"  {command.replace(PORT, port)}\n" in said, "the emulator says the same"
                continue
            direct = ["--direct"] if " ingest " in command else []
            ran[command] = subprocess.run(
                [*arguments(command), *direct], cwd=home, env=environment, capture_output=True, text=True, check=False
            )
        with urlopen(f"http://127.0.0.1:{port}/_emulator/stats", timeout=30) as response:
            counted = json.load(response)
        emulator.send_signal(signal.SIGINT)
        out, err = emulator.communicate(timeout=30)
    finally:
        emulator.kill()
        emulator.wait()
    served = subprocess.CompletedProcess(SERVE, emulator.returncode, "".join(said) + out, err)
    return Played(ran, served, counted, home)


def files(played: Played) -> set[str]:
    """Name the gallery's pictures and its film."""
    gallery = played.home / "examples" / "gallery"
    return {path.name for folder in ("pictures", "video") for path in (gallery / folder).iterdir()}


def test_every_command_ends_well_and_says_nothing_on_stderr(played: Played) -> None:
    assert len(played.ran) >= 3
    for done in played:
        said = [line for line in done.stderr.splitlines() if not line.endswith(" so far")]  # a machine that is busy
        assert (done.returncode, said) == (0, []), done.args


def test_the_emulator_ends_cleanly_on_ctrl_c(played: Played) -> None:
    assert (played.served.returncode, played.served.stderr) == (0, "")
    assert len(played.served.stdout.splitlines()) == 3


def test_texts_pictures_and_the_film_are_in(played: Played) -> None:
    output = played.of(" ingest ")
    assert "gallery: completed" in output
    assert "gallery: media: completed" in output
    index = Index(played.home / "examples" / "gallery")
    pictures = index.table(media=True).search().where("active").select(["url", "kind"]).limit(None).to_list()
    assert {row["kind"] for row in pictures} == {"image", "video"}
    assert {row["url"].rpartition("/")[2] for row in pictures} == files(played)
    assert index.table().count_rows("active") > 3
    assert index.failures() == []


def test_each_text_and_picture_is_paid_for_once(played: Played) -> None:
    """The same pictures in a folder, a table and two documents are the same ones again."""
    index = Index(played.home / "examples" / "gallery")
    bought = index.table().count_rows("active") + len(files(played))
    # A question in words is asked of both models; the emulator does not tell the picture that is asked with from the
    # one in the index.
    assert (played.counted["texts"], played.counted["duplicates"]) == (bought + 2 + 1, 1)
    assert played.counted["by_status"] == {"200": played.counted["requests"]}


def test_the_right_pictures_come_first(played: Played) -> None:
    def first(output: str) -> list[str]:
        return re.findall(r"^1\. (\S+)", output, flags=re.MULTILINE)

    assert first(played.of("a red building in white snow")) == ["docs/journal.md", "pictures/barn.jpg"]
    assert first(played.of("--image")) == ["pictures/tulips.jpg"]


def test_what_the_readme_shows_is_what_they_print(played: Played) -> None:
    printed = "\n".join(done.stdout for done in played)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
    hits, found = (re.findall(r"^(\d+\. \S+) +([\d.]+) ", text, flags=re.MULTILINE) for text in (shown, printed))
    assert len(hits) >= 2
    scores = dict(reversed(found))  # the first search is the one shown
    for hit, score in hits:
        assert float(score) == pytest.approx(float(scores[hit]), abs=0.01), hit
    cells = re.findall(r"^│ (\w+) +│ (.*?) +│$", shown, flags=re.MULTILINE)
    assert len(cells) >= 3
    for name, value in cells:
        assert re.search(rf"^│ {name} +│ {re.escape(value)} +│$", printed, flags=re.MULTILINE), name


def test_the_readme_the_gallery_and_the_emulator_mean_the_same_address() -> None:
    from relance.cli.emulator import emulator

    assert inspect.signature(emulator).parameters["port"].default == int(PORT)
    assert f"http://127.0.0.1:{PORT}/api/v1" in PAGE
    assert f"http://127.0.0.1:{PORT}/files" in (ROOT / "examples/gallery/index.yaml").read_text(encoding="utf-8")
