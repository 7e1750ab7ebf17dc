"""The table of deliveries in a store that was hurt."""

from __future__ import annotations

from pathlib import Path

import pytest

from relance.events.delivery import State
from relance.events.delivery_table import NAME, DeliveryTable
from relance.store.connection import Store


@pytest.mark.parametrize("folder", ["_versions", "data"])
def test_a_torn_table_is_mended_when_a_receiver_starts(
    tmp_path: Path, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    def table() -> DeliveryTable:
        return DeliveryTable(Store(str(tmp_path), storage_options={}, api_key=""))

    before = table()
    before.prepare()
    assert before.claim(["one"]) == {"one": State.CLAIMED}
    before.confirm({"one": 4e9})
    files = [path for path in (tmp_path / f"{NAME}.lance" / folder).iterdir() if path.suffix in {".manifest", ".lance"}]
    newest = max(files, key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(b"")
    after = table()
    after.prepare()
    assert NAME in caplog.text
    states = [after.claim(["two"]), after.claim(["two"])]
    assert states == [{"two": State.CLAIMED}, {"two": State.UNDER_WAY}]
