"""`relance plan`: what it lists, what it exits with, and that it needs no key."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Run, one_message


def test_changes_are_listed_by_action_and_reason(run: Run, ingested: Path) -> None:
    docs = ingested.parent / "docs"
    (docs / "rivers.md").write_text("# Rivers\n\nAnother text.\n", encoding="utf-8")
    (docs / "bridges.md").unlink()
    for name in "abc":
        (docs / f"{name}.md").write_text(name, encoding="utf-8")
    ran = run("plan", "--limit", "2")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[:8] == [
        "3 documents added: new",
        "  + docs/a.md",
        "  + docs/b.md",
        "  … and 1 more (--limit)",
        "1 document changed: content changed",
        "  ~ docs/rivers.md",
        "1 document removed: no longer in the sources, or excluded now",
        "  - docs/bridges.md",
    ]
    listed = [(each["action"], each["documents"], each["uris"]) for each in run("plan", "--json").json["changes"]]
    assert listed == [
        ("added", 3, ["docs/a.md", "docs/b.md", "docs/c.md"]),
        ("changed", 1, ["docs/rivers.md"]),
        ("removed", 1, ["docs/bridges.md"]),
    ]


def test_documents_that_fail_for_one_reason_are_grouped(run: Run, ingested: Path) -> None:
    for number in range(5):
        (ingested.parent / f"docs/torn-{number}.ipynb").write_text("{", encoding="utf-8")
    for command in ("plan", "ingest --direct"):
        ran = run(*command.split())
        assert ran.code == 3
        head, *names, left = (line for line in ran.out.splitlines() if line.startswith("  ") and "─" not in line)
        assert head.startswith("  ✗ 5 documents: "), ran.out
        assert [each.strip() for each in names] == [f"docs/torn-{number}.ipynb" for number in range(3)]
        assert left.strip() == "… and 2 more"
    listed = run("failures", "--limit", "5").out
    assert (listed.count("✗"), listed.count("torn-"), listed.splitlines()[-1]) == (1, 5, "5 failures, 0 warnings")
    assert len(run("failures", "--json").json["failures"]) == 5


def test_a_reason_is_the_splitting_or_the_wish_of_a_person(run: Run, ingested: Path) -> None:
    (full,) = run("plan", "--full", "--json").json["changes"]
    assert (full["reason"], full["documents"]) == ("written again, because of --full", 2)
    ingested.write_text(ingested.read_text(encoding="utf-8") + "chunking: {max_tokens: 100}\n", encoding="utf-8")
    (split,) = run("plan", "--json").json["changes"]
    assert (split["action"], split["reason"]) == ("changed", "chunking, parser or model changed")


def test_the_detailed_exit_code_says_whether_something_is_to_be_done(run: Run, ingested: Path) -> None:
    assert run("plan", "--detailed-exitcode").code == 0
    (ingested.parent / "docs/new.md").write_text("New.", encoding="utf-8")
    assert run("plan").code == 0
    assert run("plan", "--detailed-exitcode").code == 4


@pytest.mark.parametrize(
    ("model", "key"),
    [("dashscope/text-embedding-v4", "DASHSCOPE_API_KEY"), ("openai/text-embedding-3-small", "OPENAI_API_KEY")],
)
def test_a_plan_needs_no_key_and_an_ingest_says_which(
    run: Run, spec: Path, monkeypatch: pytest.MonkeyPatch, model: str, key: str
) -> None:
    monkeypatch.delenv(key, raising=False)
    for name in ("DASHSCOPE_BASE_URL", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    spec.write_text(spec.read_text(encoding="utf-8").replace("fake/hash", model), encoding="utf-8")
    ran = run("plan", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["tokens"] > 0
    assert ran.json["cost_usd"] > 0
    assert key in ran.json["notes"][0]
    refused = run("ingest", "--direct")
    assert refused.code == 2
    assert f"needs a key: set {key}" in one_message(refused)
