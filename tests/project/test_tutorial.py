"""The tutorial as it is written, in an empty folder, with the installed wheel."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest
from installed import Installed

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(sh|text)\n(.*?)```", PAGE, flags=re.DOTALL)


def plain(text: str) -> str:
    """Leave out the lines of tables, and how lines are broken."""
    return " ".join(re.sub(r"[│┌┐└┘─┬┴]", " ", text).split())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_block_runs_and_prints_what_the_page_says(installed: Installed, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    environment = installed.environment | {"PATH": f"{installed.programs}{os.pathsep}{os.defpath}"}
    printed, shown = "", 0
    for language, block in BLOCKS:
        if language == "text":
            for line in block.splitlines():
                assert plain(line) in printed, f"{line!r} is not in what was printed: {printed}"
                shown += 1
        elif "relance explore" in block:
            look(block.strip(), folder, environment)
        else:
            done = subprocess.run(["sh", "-ec", block], cwd=folder, env=environment, capture_output=True, text=True,
                                  check=False)  # fmt: skip
            assert (done.returncode, done.stderr) == (0, ""), block
            printed = plain(done.stdout)
    assert shown >= 10
    assert sorted(path.name for path in (folder / "notes").iterdir()) == ["boats.md", "parking.md"]


def look(command: str, folder: Path, environment: dict[str, str]) -> None:
    """Open the page that the command says, and end it as a user does."""
    page = subprocess.Popen(f"exec {command} --port 0", shell=True, cwd=folder, env=environment, text=True,
                            stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert page.stdout is not None
        address = page.stdout.readline().removeprefix("open ").strip()
        with httpx.Client(trust_env=False, follow_redirects=True, timeout=60) as client:
            assert client.get(address).status_code == 200
            assert "boats.md" in client.get(httpx.URL(address).join("/"), params={"q": "ferry"}).text
        page.send_signal(signal.SIGINT)
        page.communicate(timeout=30)
    finally:
        page.kill()
        page.wait()
