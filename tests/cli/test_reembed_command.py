"""`relance reembed`, and an ingest that comes to a gate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from command_line import Run, one_message
from files import put
from golden_notes import ABOUT, ASKED, BAD, GOOD

Declare = Callable[..., Path]


def prepare(folder: Path) -> dict[str, Any]:
    """Write the documents and the golden queries; returns the gate."""
    for name, text in ABOUT.items():
        put(folder / "docs" / f"{name}.md", text)
    items = [{"query": query, "documents": [f"docs/{name}.md"]} for name, query in ASKED.items()]
    put(folder / "golden.yaml", yaml.safe_dump(items))
    return {"queries": "golden.yaml", "mode": "dense"}


def test_the_life_of_a_worse_model(run: Run, declare: Declare, tmp_path: Path) -> None:
    gate = prepare(tmp_path)
    spec = declare(embedding=GOOD)
    assert run("ingest", spec, "--direct").code == 0
    table = run("status", spec, "--json").json["table"]
    spec = declare(embedding=BAD)
    refused = run("reembed", spec)
    assert refused.code == 2
    assert "no golden queries" in one_message(refused)
    spec = declare(embedding=BAD, gate=gate)
    planned = run("reembed", spec, "--plan")
    assert (planned.code, "rebuild" in planned.out) == (0, True)
    held = run("reembed", spec)
    assert held.code == 1
    assert "in use" in held.out
    assert "nDCG@10" in held.out
    assert "--switch" in held.err
    assert run("status", spec, "--json").json["table"] == table
    assert "held back" in run("ingest", spec, "--direct").err
    switched = run("reembed", spec, "--switch", "--json")
    assert (switched.code, switched.json["status"], switched.json["beside"]) == (0, "switched", table)
    back = run("reembed", spec, "--back")
    assert (back.code, table in back.out) == (0, True)
    assert run("runs", spec, "--json").json["runs"][0]["status"] == "switched back"
    assert one_message(run("reembed", spec, "--back", "--switch"))
    assert run("reembed", declare(embedding=GOOD, gate=gate), "--json").json["status"] == "up to date"


def test_an_ingest_with_a_gate_builds_compares_and_switches(run: Run, declare: Declare, tmp_path: Path) -> None:
    gate = prepare(tmp_path)
    run("ingest", declare(embedding=BAD, gate=gate), "--direct")
    better = run("ingest", declare(embedding=GOOD, gate=gate), "--direct", "--json")
    assert (better.code, better.json["reembed"]["status"]) == (0, "switched")
    worse = run("ingest", declare(embedding=BAD, gate=gate), "--direct", "--json")
    assert (worse.code, worse.json["reembed"]["status"]) == (1, "held back")
    again = run("ingest", declare(embedding=BAD, gate=gate), "--direct", "--json")
    assert (again.code, again.json["reembed"]) == (0, None), "a person was asked already"
