"""What a person reads in the list of runs: names with the cause, and failures as sentences. Without a server's help."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import CreatedBy, FlowRun
from prefect.exceptions import FlowPauseTimeout

from relance.errors import (
    ApprovalNeededError,
    BudgetError,
    ConfigurationError,
    IndexBusyError,
    MissingKeyError,
    RetryableError,
    SourceError,
    StoreError,
    UnreachableError,
)
from relance.events.change import Change
from relance_flows import names
from relance_flows.sentence import sentence

RUN: dict[str, Any] = {"flow_id": uuid4(), "name": "made-up-name"}


def called(
    name: str, run: dict[str, Any], parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch, *given: Any
) -> str:
    context = SimpleNamespace(flow_run=FlowRun(**RUN, **run), parameters=parameters)
    monkeypatch.setattr(names.FlowRunContext, "get", lambda: context)
    return getattr(names, name)(*given)


BY_CLOCK = CreatedBy(id=uuid4(), type="SCHEDULE", display_value="nightly")
BY_EVENT = CreatedBy(id=uuid4(), type="AUTOMATION", display_value="relance: a changed")


@pytest.mark.parametrize(
    ("run", "parameters", "name"),
    [
        ({}, {"index": "handbook"}, "handbook: manual"),
        ({"auto_scheduled": True}, {"index": "/a/handbook/index.yaml"}, "handbook: schedule"),
        ({"created_by": BY_CLOCK}, {"index": "handbook"}, "handbook: schedule"),
        ({"created_by": BY_EVENT}, {"index": "handbook", "mode": "incremental"}, "handbook: change"),
        ({"run_count": 1}, {"index": "handbook", "mode": "full"}, "handbook: manual, full, retry 1"),
        ({}, {"index": "notes", "only": ["docs/a.md"]}, "notes: manual, 1 document only"),
        ({}, {"index": "notes", "mode": "plan only", "only": ["a", "b"]}, "notes: manual, plan only, 2 documents only"),
        ({}, {"index": ""}, "no index: manual"),
    ],
)
def test_a_name_says_index_and_cause(
    run: dict[str, Any], parameters: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert called("after_index", run, parameters, monkeypatch) == name


def test_a_run_over_all_indexes_and_one_over_a_change_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert called("after_index_or_all", {"auto_scheduled": True}, {"index": ""}, monkeypatch) == "all indexes: schedule"
    change = Change("notes", changed=("a", "b"), removed=("c",))
    assert called("after_change", {}, {}, monkeypatch, change) == "notes: change, 2 changed, 1 removed"


@pytest.mark.parametrize(
    ("error", "begins", "advises"),
    [
        (MissingKeyError("dashscope/x needs a key: set DASHSCOPE_API_KEY."), "dashscope/x needs a key: set D", "Blocks"),
        (BudgetError("this run would cost $2, limits.max_cost_usd is $1"), "This run would cost", "Raise the budget"),
        (ApprovalNeededError("a", ["would remove all 12 documents"]), "a: this run would remove all", "Approval: ask"),
        (IndexBusyError("index 'a' is being written by x; try again when it is done, or pass --wait"),
         "Index 'a' is being written by x. Run it again", "Wait (seconds)"),
        (UnreachableError("https://user:pw@host does not answer"), "https://***@host does not answer.", "goes on"),
        (StoreError("writing a", "no space left", "make room"), "The store failed while writing a", "make room"),
        (SourceError("the bucket is away"), "The bucket is away.", "What is indexed of it stays"),
        (RetryableError(""), "", "run it again"),
        (ConfigurationError("there is no index 'x': name another"), "There is no index 'x': name another.", ""),
        (FlowPauseTimeout(), "Nobody answered", "Run it again"),
        (KeyError("embedding"), "This run met an error that relance does not know: 'embedding'.", "report it"),
        (MemoryError(), "This run met an error that relance does not know: out of memory.", "report it"),
    ],
)  # fmt: skip
def test_a_failure_is_a_sentence_with_advice(error: Exception, begins: str, advises: str) -> None:
    said = sentence(error)
    assert said.startswith(begins)
    assert advises in said
    assert type(error).__name__ not in said
    assert said.endswith(".")
    assert ".." not in said
    assert "\n" not in said
