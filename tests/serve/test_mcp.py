"""The MCP server, asked by the official client: an answer from the handbook, with what a citation needs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from relance.index import Index
from relance.serve import ServeConfig, running

QUESTION = "Why were mayors phoned nine times?"


async def converse(transport: Any) -> dict[str, Any]:
    """Do what an assistant does with a question: look what there is, search, read around the best passage."""
    async with Client(transport) as assistant:
        tools = {tool.name: tool for tool in (await assistant.list_tools()).tools}
        sources = await assistant.call_tool("list_sources", {})
        found = await assistant.call_tool("search", {"query": QUESTION, "k": 3})
        best = (found.structured_content or {})["passages"][0]
        read = await assistant.call_tool("read_document", {"uri": best["uri"], "chunk": best["chunk"], "after": 1})
        wrong = await assistant.call_tool("search", {"query": "a", "filter": "year >"})
        unknown = await assistant.call_tool("read_document", {"uri": "docs/none.md"})
        elsewhere = await assistant.call_tool("search", {"query": "a", "index": "hanbook"})
        misnamed = await assistant.call_tool("search", {"query": "a", "ofset": 3})
        mistyped = await assistant.call_tool("search", {"query": "a", "k": "ten"})
        return {"tools": tools, "sources": sources.structured_content, "best": best, "read": read.structured_content,
                "mistakes": [wrong, unknown, elsewhere, misnamed, mistyped]}  # fmt: skip


def check(said: dict[str, Any], handbook: Path) -> None:
    """Check what came of it against the files."""
    assert set(said["tools"]) == {"search", "read_document", "list_sources"}
    for tool in said["tools"].values():
        assert tool.description
        assert tool.output_schema["properties"]
        assert tool.annotations.read_only_hint
        assert all(each.get("description") for each in tool.input_schema["properties"].values())
    (index,) = said["sources"]["indexes"]
    assert (index["name"], index["documents"]) == ("handbook", 45)
    best = said["best"]
    assert best["uri"] == "docs/engineering/incident-saone-2023.md"
    assert best["where"] == f"lines {best['line']}-{best['line_end']}"
    cited = (handbook / best["uri"]).read_text(encoding="utf-8").splitlines()[best["line"] - 1 : best["line_end"]]
    assert "\n".join(cited).strip() in best["text"], "the lines of a citation are those of the file"
    assert "nine" in best["text"]
    assert best["heading_path"]
    assert best["text"].strip()[:200] in said["read"]["text"]
    assert said["read"]["where"].startswith("lines ")
    wrong, unknown, elsewhere, misnamed, mistyped = said["mistakes"]
    assert all(each.is_error for each in said["mistakes"])
    assert "year >" in wrong.content[0].text
    assert "there is no document" in unknown.content[0].text
    assert "did you mean 'handbook'" in elsewhere.content[0].text
    assert misnamed.content[0].text == "ofset: unknown key 'ofset'; did you mean 'offset'?"
    assert mistyped.content[0].text == "k: expected a whole number, got 'ten'"


def test_over_http(handbook: Path) -> None:
    async def ask(address: str) -> dict[str, Any]:
        async with httpx2.AsyncClient(trust_env=False) as http:
            return await converse(streamable_http_client(f"{address}/mcp", http_client=http))

    with running([Index(handbook)], ServeConfig(port=0)) as address:
        check(anyio.run(ask, address), handbook)


def test_over_stdin_and_stdout(handbook: Path, tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "relance", "serve", str(handbook), "--mcp", "--audit", str(audit)]
    )
    check(anyio.run(converse, stdio_client(command)), handbook)
    lines = [json.loads(line) for line in audit.read_text(encoding="utf-8").splitlines()]
    assert [(line["operation"], line["status"]) for line in lines] == [
        ("mcp list_sources", 200), ("mcp search", 200), ("mcp read_document", 200), ("mcp search", 400),
        ("mcp read_document", 400), ("mcp search", 400),
    ]  # fmt: skip
    assert all(line["token"] == "local" for line in lines)


def test_several_indexes_have_to_be_named(small: Index, handbook: Path) -> None:
    async def ask(address: str) -> list[Any]:
        async with (
            httpx2.AsyncClient(trust_env=False) as http,
            Client(streamable_http_client(f"{address}/mcp", http_client=http)) as assistant,
        ):
            return [await assistant.call_tool("search", {"query": "ferry"}),
                    await assistant.call_tool("search", {"query": "ferry", "index": "small"})]  # fmt: skip

    with running([small, Index(handbook)], ServeConfig(port=0)) as address:
        unnamed, named = anyio.run(ask, address)
    assert "small, handbook" in unnamed.content[0].text
    assert named.structured_content["passages"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80"])
def test_a_made_up_name_reaches_no_tool(small: Index, host: str) -> None:
    with running([small], ServeConfig(port=0)) as address:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        answer = httpx2.post(f"{address}/mcp", json=asked, headers={"host": host}, trust_env=False)
    assert answer.status_code == 421
