"""Fixtures every layer of tests shares."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import settings

from relance.config import IndexSpec
from relance.index import Index
from relance_emulator import EmulatorConfig, running

# CI repeats the same examples; at a desk every run tries new ones. A busy machine is no failure.
# Thirty examples instead of hypothesis' hundred: the properties took a tenth of the suite.
settings.register_profile("desk", deadline=None, max_examples=30)
settings.register_profile("ci", deadline=None, max_examples=30, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

pytest.register_assert_rewrite("worlds.living")
pytest_plugins = ["command_line", "databases", "files", "galleries", "golden_notes", "installed", "lakes",
                  "mail_servers", "vision"]  # fmt: skip

SHARED = Path(__file__).parents[2] / "shared" / "data"


# What takes longest in one process comes first, so that the others are not waited for at the end; but what leaves processes
# and sockets of other people's behind comes last: the garbage collector would warn of them in the tests after it.
ORDER = [
    "chaos", "pipeline", "store", "cli", "config", "sources", "parsers", "chunkers", "fetch", "media", "embedding", "search",
    "evaluation", "reembed", "analysis", "telemetry", "emulator", "explore", "serve", "integrations", "events", "contracts", "project",
    "operate", "flows", "e2e",
]  # fmt: skip


# Folders whose tests share what is started once and slowly (a Prefect server), or measure time: one process for each.
TOGETHER = {"chaos", "flows", "e2e"}


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: tests wait for servers and processes a third of their time."""
    return (os.cpu_count() or 1) + 1


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name the bytes of a file by their argument: archives hold the second they were made in, and differ by process."""
    return argname if isinstance(val, bytes) and len(val) > 32 else None


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the folders in order, the files of a folder side by side; the order within a file stays."""
    here = Path(__file__).parent
    items.sort(key=lambda item: ORDER.index(item.path.relative_to(here).parts[0]))
    for item in items:
        path = item.path.relative_to(here)
        if path.parts[0] in {"flows", "e2e"}:
            item.add_marker(path.parts[0])
        if path.parts[0] == "flows":
            # Prefect's own client leaves sockets to the garbage collector; nothing of ours opens any there.
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))
        group = path.parts[0] if path.parts[0] in TOGETHER else str(path)
        if (
            group == "flows"
        ):  # a second server takes 20 s to start, and one process for all of them worked alone for minutes
            group += "-a-l" if path.name < "test_m" else "-m-z"
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No key, address or switch of the developer's reaches a test, and no test reaches the developer's home."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    others = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "RELANCE_FAKE_LOG", "RELANCE_FAKE_DELAY_S")
    for name in [*others, *(name for name in os.environ if name.startswith("DASHSCOPE_"))]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder for this test alone: in the common one, runs that other tests killed have left theirs."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Record every text the fake provider embeds; call it for the list so far."""
    path = tmp_path / "embedded.jsonl"
    monkeypatch.setenv("RELANCE_FAKE_LOG", str(path))

    def read() -> list[str]:
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8").splitlines()
        return [text for line in lines for text in json.loads(line)["texts"]]

    return read


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """An empty folder to index."""
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


@pytest.fixture
def make_index(tmp_path: Path, docs: Path) -> Callable[..., Index]:
    """Declare an index over `docs` with the fake provider; keywords replace sections of the spec."""

    def make(**sections: Any) -> Index:
        declared = {
            "name": "notes",
            "sources": [{"type": "files", "root": str(docs)}],
            "chunking": {"max_tokens": 64},
            "embedding": {"model": "fake/hash"},
            "store": {"uri": str(tmp_path / "db")},
            "folder": tmp_path,
        }
        return Index(IndexSpec.model_validate(declared | sections))

    return make


@pytest.fixture(params=["cmrc-zh", pytest.param("cranfield", marks=pytest.mark.long)])
def dataset(request: pytest.FixtureRequest) -> Path:
    """A real retrieval set in BEIR format."""
    folder = SHARED / request.param
    if not folder.is_dir():
        pytest.skip(f"the retrieval set {request.param} is not beside this checkout")
    return folder


class Emulator:
    """A running DashScope emulator, as tests see it."""

    def __init__(self, url: str, control: httpx.Client) -> None:
        self.url = url
        self._control = control

    def reset(self) -> None:
        """Forget requests, faults, uploads, files, batches and tasks."""
        self._ask("POST", "reset")

    def faults(self, rules: list[dict[str, Any]]) -> None:
        """Script what goes wrong from now on; see `relance_emulator.faults.Fault`."""
        self._ask("POST", "faults", rules)

    def stats(self) -> dict[str, Any]:
        """Return what has been counted since the last reset."""
        return self._ask("GET", "stats")

    def requests(self) -> list[dict[str, Any]]:
        """Return the latest 200 requests, oldest first."""
        return self._ask("GET", "requests")["requests"]

    def _ask(self, method: str, name: str, content: Any = None) -> Any:
        response = self._control.request(method, f"{self.url}/_emulator/{name}", json=content)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture(scope="session")
def emulator_server() -> Generator[Emulator]:
    """One emulator for all tests: meaningful vectors, no limits, no delay."""
    with running(EmulatorConfig(record=200)) as url, httpx.Client(trust_env=False) as control:
        yield Emulator(url, control)


@pytest.fixture
def emulator(emulator_server: Emulator) -> Emulator:
    """A DashScope emulator that knows nothing of earlier tests."""
    emulator_server.reset()
    return emulator_server
