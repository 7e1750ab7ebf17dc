"""What LangChain, LlamaIndex, Haystack, assistants and flows of others use, from the installed wheel with its extras."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest
from installed import Installed, install
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

ROOT = Path(__file__).parents[2]
QUESTION = "How long are images from bank cameras kept?"
HAYSTACK = """
import sys
from relance.integrations.haystack import RelanceRetriever
for each in RelanceRetriever(sys.argv[1], k=3).run(query=sys.argv[2])["documents"]:
    print(each.meta["uri"])
"""
FLOWS = """
from pathlib import Path
import relance_flows, relance_tasks
from relance_flows import ingest_flow
from relance_tasks import ingest_task, plan_task
assert "venv" in Path(relance_tasks.__file__).parts and "venv" in Path(relance_flows.__file__).parts
print(ingest_flow.fn.__name__, ingest_task.fn.__name__, plan_task.fn.__name__)
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def handbook(dists: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A copy of the handbook, indexed by the wheel; `folder` holds it, and programs of nobody else."""
    base = tmp_path_factory.mktemp("programs")
    programs = install(base / "venv", f"{dists[1]}[langchain,llama-index,haystack,serve]")
    for name in ("home", "mine"):
        (base / name).mkdir()
    ignore = shutil.ignore_patterns("lancedb")
    shutil.copytree(ROOT / "examples" / "handbook", base / "mine" / "handbook", ignore=ignore)
    shutil.copytree(ROOT / "examples" / "programs", base / "mine" / "programs")
    installed = Installed(programs, base / "mine", base / "home")
    done = installed.run("ingest", "handbook", "--direct")
    assert done.returncode == 0, done.stderr
    return installed


def python(installed: Installed, *arguments: str) -> str:
    """Run a program by the environment's Python; returns what it printed."""
    command = [str(installed.programs / "python"), *arguments]
    environment = installed.environment | {"HAYSTACK_TELEMETRY_ENABLED": "false"}
    done = subprocess.run(command, cwd=installed.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("program", ["ask_langchain.py", "ask_llama_index.py"])
def test_a_program_answers_from_the_handbook_with_citations(handbook: Installed, program: str) -> None:
    printed = python(handbook, f"programs/{program}", "handbook", QUESTION)
    assert "72 hours, 30 days during a flood" in printed
    assert "[1] docs/engineering/data-retention.md, line 8" in printed


def test_haystack_finds_the_same(handbook: Installed) -> None:
    assert (
        python(handbook, "-c", HAYSTACK, "handbook", QUESTION).splitlines()[0] == "docs/engineering/data-retention.md"
    )


def test_an_assistant_answers_with_a_citation(handbook: Installed) -> None:
    server = StdioServerParameters(command=handbook.relance, args=["serve", "handbook", "--mcp"], cwd=handbook.folder,
                                   env=handbook.environment)  # fmt: skip

    async def ask() -> dict[str, Any]:
        async with Client(stdio_client(server)) as assistant:
            answer = await assistant.call_tool("search", {"query": QUESTION, "k": 1})
            assert answer.structured_content is not None
            return answer.structured_content

    [passage] = anyio.run(ask)["passages"]
    assert (passage["number"], passage["uri"], passage["line"]) == (1, "docs/engineering/data-retention.md", 8)
    assert "72 hours" in passage["text"]


def test_a_flow_of_others_imports_tasks_and_flows(handbook: Installed) -> None:
    assert python(handbook, "-c", FLOWS).split() == ["ingest", "ingest_task", "plan_task"]
