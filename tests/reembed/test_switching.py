"""What moves readers to other tables and back: switches that are killed, rollbacks, and two at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden_notes import BAD, GOOD

from relance.errors import IndexBusyError
from relance.index import Index
from relance.reembed import Reembedding, reembed, switch_back
from relance.store.lock import hold

Make = Callable[..., Index]


def test_a_switch_that_was_killed_before_it_was_noted_can_be_undone(
    notes: Make, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = notes(embedding=BAD)
    old.ingest()
    table = old.table().name
    new = notes(embedding=GOOD)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as moment:
        moment.setattr("relance.reembed.switching.Beside", killed)
        with pytest.raises(KeyboardInterrupt):
            reembed(new.spec, approved=True)
    assert new.table().name != table, "readers have the new tables"
    assert switch_back(new.spec).table == table
    assert new.ingest().table == table


def test_a_rollback_to_another_model_is_not_undone_by_the_next_ingest(notes: Make) -> None:
    old = notes(embedding=BAD)
    run_id, table = old.ingest().run_id, old.table().name
    new = notes(embedding=GOOD)
    assert new.ingest().table != table
    new.rollback(run_id)
    report = new.ingest()
    assert (report.table, new.table().name) == (table, table)
    assert "rolled back" in report.notes[0]
    assert reembed(new.spec, approved=True).status == "switched"
    assert new.table().name != table


def test_a_second_one_waits_its_turn(notes: Make, golden: dict[str, Any]) -> None:
    notes(embedding=BAD).ingest()
    new = notes(embedding=GOOD, gate=golden)
    with Reembedding(new.spec), pytest.raises(IndexBusyError):
        reembed(new.spec)
    with hold(new._store, "notes"), pytest.raises(IndexBusyError):
        switch_back(new.spec)
