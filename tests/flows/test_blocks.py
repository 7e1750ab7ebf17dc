"""Keys and stores that a spec leaves to Prefect blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from files import put
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from relance.config.load import load_spec
from relance.embedding.providers.dashscope import DashScopeSpec
from relance.errors import ConfigurationError
from relance.index import Index
from relance_flows.ingest import ingest
from relance_operate.blocks import DashScopeCredentials, StoreLocation

KEY = "sk-a-key-that-must-not-be-seen"


@pytest.fixture
def declare(declare: Callable[..., Path], docs: Path) -> Callable[..., Path]:
    """Write a spec over one document; keywords replace sections."""
    put(docs / "note.md", "The weir of Chalon is open.")
    return partial(declare, name="blocked")


def save(block: Any, name: str) -> None:
    block.save(name, overwrite=True)


def test_key_address_and_store_come_from_blocks(declare: Callable[..., Path], tmp_path: Path, emulator: Any) -> None:
    save(DashScopeCredentials(api_key=SecretStr(KEY), base_url=f"{emulator.url}/api/v1"), "main")
    save(StoreLocation(uri=str(tmp_path / "elsewhere")), "shared")
    path = declare(embedding={"model": "dashscope/text-embedding-v4", "credentials": "main"}, store={"block": "shared"})
    spec = load_spec(path)
    assert spec.embedding.api_key.get_secret_value() == KEY
    assert KEY not in repr(spec)
    call: Any = ingest
    report = asyncio.run(call(index=str(path)))
    assert (report["status"], report["embedded"]) == ("completed", 1)
    assert emulator.requests()  # it takes any key, and shows none
    assert (tmp_path / "elsewhere").is_dir()
    assert not (tmp_path / "db").exists()
    assert Index(path).search("weir", k=1)[0].uri == "docs/note.md"


def test_what_the_spec_says_itself_wins_but_for_the_key(declare: Callable[..., Path]) -> None:
    save(DashScopeCredentials(api_key=SecretStr(KEY), region="beijing", workspace="ws-block"), "chinese")
    embedding = {"model": "dashscope/text-embedding-v4", "credentials": "chinese", "workspace": "ws-spec"}
    section = load_spec(declare(embedding=embedding)).embedding
    assert isinstance(section, DashScopeSpec)
    assert (section.region, section.workspace, section.base_url) == ("beijing", "ws-spec", "")


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        (
            {"embedding": {"model": "dashscope/text-embedding-v4", "credentials": "nowhere"}},
            "embedding.credentials: there is no block dashscope-credentials/nowhere",
        ),
        ({"store": {"block": "nowhere"}}, "store.block: there is no block lancedb-store/nowhere"),
        ({"embedding": {"model": "local/wordllama", "credentials": "main"}}, "models of 'local' take no credentials"),
    ],
)
def test_a_block_that_is_not_there_is_told_with_its_field(
    declare: Callable[..., Path], sections: Any, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        load_spec(declare(**sections))


def test_a_block_without_a_server_starts_none(declare: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relance_operate.api.LOCAL_API", "http://127.0.0.1:9/api")
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with (
        temporary_settings({PREFECT_API_URL: None}),
        pytest.raises(ConfigurationError, match=r"store\.block: .* no Prefect server is configured"),
    ):
        load_spec(declare(store={"block": "shared"}))
