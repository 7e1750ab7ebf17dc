"""What is wrong with a `media` section is said before the texts beside it are paid for, by field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from relance.config import IndexSpec
from relance.config.load import load_spec
from relance.errors import AccountError, ConfigurationError
from relance.index import Index


def _index(
    folder: Path, url: str, *, embedding: dict[str, Any] | None = None, media: dict[str, Any] | None = None
) -> Index:
    (folder / "docs").mkdir()
    (folder / "docs" / "a.md").write_text("One sentence.", encoding="utf-8")
    declared = {
        "name": "notes",
        "sources": [{"type": "files", "root": str(folder / "docs")}],
        "embedding": {"model": "dashscope/text-embedding-v4", "base_url": f"{url}/api/v1"} | (embedding or {}),
        "media": media and media | {"embedding": {"base_url": f"{url}/api/v1"} | media.get("embedding", {})},
        "store": {"uri": str(folder / "db")},
        "folder": folder,
    }
    return Index(IndexSpec.model_validate(declared))


@pytest.mark.parametrize(
    ("media", "said"),
    [
        ({"embedding": {"model": "dashscope/text-embedding-v4"}}, r"media\.embedding\.model: .* embeds texts only"),
        ({"embedding": {"model": "local/wordllama"}}, r"media\.embedding\.model: .* embeds texts only"),
        ({"embedding": {"model": "openai/some-model"}}, r"media\.embedding\.model: .* embeds texts only"),
        ({"embedding": {"model": "dashscope/tongyi-vision-plus"}}, r"did you mean dashscope/tongyi-embedding-vision"),
        (
            {"embedding": {"model": "dashscop/multimodal-embedding-v1"}},
            r"media\.embedding\.model: .*dashscope/multimod",
        ),
        ({"embedding": {"dimension": 512}}, r"media\.embedding\.dimension: "),
        ({"fetch": {"allow": ["http://x"]}}, r"media\.fetch\.allow: 'http://x' is no host"),
        ({"fetch": {"hosts": {"http://x": {}}}}, r"media\.fetch\.hosts: 'http://x' is no host"),
    ],
)
def test_a_wrong_media_section_is_refused_before_the_texts_are_bought(
    tmp_path: Path, emulator: Any, media: dict[str, Any], said: str
) -> None:
    index = _index(tmp_path, emulator.url, media=media)
    with pytest.raises(ConfigurationError, match=said):
        index.ingest()
    stats = httpx.get(f"{emulator.url}/_emulator/stats", trust_env=False).json()
    assert stats["requests"] == 0


def test_a_model_of_a_misspelt_provider_is_named_with_the_right_one(tmp_path: Path, emulator: Any) -> None:
    index = _index(tmp_path, emulator.url, embedding={"model": "dashscop/text-embedding-v4"})
    with pytest.raises(ConfigurationError, match=r"did you mean dashscope/text-embedding-v4\?"):
        index.plan()


def test_a_refused_key_is_named_by_where_it_was_said(tmp_path: Path, emulator: Any) -> None:
    index = _index(tmp_path, emulator.url, embedding={"api_key": "not-one"})
    with pytest.raises(AccountError, match=r"The key in embedding\.api_key is not valid") as refused:
        index.ingest()
    assert "not-one" not in str(refused.value)


def test_a_missing_media_section_is_named_in_the_message(tmp_path: Path) -> None:
    spec = tmp_path / "index.yaml"
    spec.write_text("name: a\nsources: [{type: files, root: ., rows: {url: u}}]\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"media: is missing, but sources\[0\]\.rows\.url names media"):
        load_spec(spec)


@pytest.mark.parametrize(
    ("fetch", "said"),
    [
        ("hosts: {x.example: {headers: {Host: other.example}}}", "'Host' is no header that can be set"),
        ('hosts: {x.example: {headers: {A: "b\\nS3CRET"}}}', "the value of A has a line break"),
        ("hosts: {x.example: {headers: {A: '${NOT_SET_HERE}'}}}", "NOT_SET_HERE is not set"),
        ("recheck: weekly", "recheck"),
    ],
)
def test_what_is_wrong_with_a_host_is_said_by_line_without_secrets(tmp_path: Path, fetch: str, said: str) -> None:
    spec = tmp_path / "index.yaml"
    spec.write_text(f"name: a\nsources: [{{type: files, root: .}}]\nmedia:\n  fetch:\n    {fetch}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"index\.yaml:5: media\.fetch\.") as refused:
        load_spec(spec)
    assert said in str(refused.value)
    assert "S3CRET" not in str(refused.value)


def test_headers_may_be_secrets_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMG_TOKEN", "S3CRET")
    spec = tmp_path / "index.yaml"
    hosts = "{'*.x.example': {headers: {Authorization: 'Bearer ${IMG_TOKEN}'}, per_second: 5}}"
    spec.write_text(
        f"name: a\nsources: [{{type: files, root: .}}]\nmedia: {{fetch: {{hosts: {hosts}}}}}\n", encoding="utf-8"
    )
    loaded = load_spec(spec)
    assert loaded.media is not None
    header = loaded.media.fetch.hosts["*.x.example"].headers["Authorization"]
    assert header.get_secret_value() == "Bearer S3CRET"
    assert "S3CRET" not in repr(loaded)
