"""After a run no key is found in anything that is kept: logs, artifacts, tables, Prefect's database."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from by_hand import by_hand
from files import put
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_HOME

from relance.errors import AccountError
from relance.pipeline.staging import Staging
from relance_emulator import EmulatorConfig, running
from relance_flows.form import Engine
from relance_flows.ingest import ingest


def everything_kept(folder: Path) -> dict[Path, bytes]:
    """Read the store's files and Prefect's database with its journals."""
    url = str(PREFECT_API_DATABASE_CONNECTION_URL.value())
    database = Path(url.partition(":///")[2])
    assert database.is_file()
    places = [*folder.rglob("*"), *database.parent.glob(f"{database.name}*"), *PREFECT_HOME.value().rglob("*")]
    return {path: path.read_bytes() for path in places if path.is_file()}


def look(folder: Path, found: list[bytes]) -> None:
    found += [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("engine", "where", "accepted"),
    [("threads", "environment", True), ("processes", "spec", True),
     *by_hand(("threads", "spec", False), ("processes", "environment", False))],
)  # fmt: skip
def test_no_key_is_kept(
    tmp_path: Path, docs: Path, declare: Callable[..., Path], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], where: str, accepted: bool,
    engine: Engine,
) -> None:  # fmt: skip
    key = f"sk-{secrets.token_hex(16)}"
    monkeypatch.setenv("DASHSCOPE_API_KEY" if where == "environment" else "SOME_KEY", key)
    put(docs / "a.md", "# Harbour\n\nThe ferry leaves at nine.\n")
    named = {} if where == "environment" else {"api_key": "${SOME_KEY}"}
    staged: list[bytes] = []
    drop = Staging.drop
    monkeypatch.setattr(Staging, "drop", lambda self, address: (look(self.folder, staged), drop(self, address))[1])
    config = EmulatorConfig(vectors="hash", keys={key if accepted else "sk-another": ""})
    with caplog.at_level(logging.DEBUG, logger="relance"), running(config) as url:
        model = {"model": "dashscope/text-embedding-v4", "base_url": f"{url}/api/v1"}
        spec = declare("secret", embedding=model | named)
        if accepted:
            assert asyncio.run(ingest(index=str(spec), engine=engine, workers=2))["added"] == 1
        else:
            with pytest.raises(AccountError, match="key"):
                asyncio.run(ingest(index=str(spec), engine=engine, workers=2))
    assert bool(staged) == (engine == "processes"), "what lay in the staging area was looked at before it went"
    assert not [data for data in staged if key.encode() in data]
    kept = everything_kept(tmp_path)
    assert len(kept) > 5
    guilty = [path.name for path, data in kept.items() if key.encode() in data]
    assert guilty == []
    assert key not in caplog.text
    printed = capfd.readouterr()
    assert key not in printed.out + printed.err
