"""The command that serves indexes to programs and assistants."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from relance.cli.ending import interrupting
from relance.cli.options import DONE, As, AsJson, AsOwner, Host, Port, Specs, index_as, named, without_effect
from relance.cli.terminal import Terminal
from relance.errors import InputError, install_command

if TYPE_CHECKING:
    from relance.serve.tokens import Tokens

__all__ = ["serve"]

_NOWHERE: list[Path] = []


def serve(  # noqa: PLR0913  # options
    specs: Specs = _NOWHERE,
    *,
    mcp: Annotated[bool, Parameter(negative="")] = False,
    host: Host = "127.0.0.1",
    port: Port = 8790,
    tokens: Path | None = None,
    cors: Annotated[list[str] | None, Parameter(negative="")] = None,
    audit: Path | None = None,
    audit_queries: Annotated[bool, Parameter(negative="")] = False,
    new_token: str = "",
    principals: As = None,
    as_owner: AsOwner = False,
    json: AsJson = False,
) -> int:
    """Serve indexes to programs and assistants: an HTTP API with /openapi.json, and MCP at /mcp.

    Without tokens the API is served to this machine only. Tokens come from a file, or from RELANCE_SERVE_TOKENS, which
    holds the text of such a file. /metrics is open without tokens; with them it needs RELANCE_METRICS_TOKEN.

    Parameters
    ----------
    mcp
        Speak MCP over stdin and stdout instead, for an assistant that starts this command.
    tokens
        YAML file with the digests of tokens, and what each may see.
    cors
        Origin of pages whose scripts may call the API, e.g. https://app.example.com. Repeatable.
    audit
        File that gets a line of JSON for each request: who, what, when, status, duration.
    audit_queries
        Write the words of questions there, too.
    new_token
        Make a token for this name, print it with its entry for the file, and end.
    """
    from relance.config.settings import read_settings

    if new_token:
        return _print_token(new_token, Terminal(as_json=json), as_json=json)
    specs = named(specs)
    from relance.serve import ServeConfig, serve_stdio
    from relance.serve import serve as serve_indexes

    if mcp:
        without_effect({"--tokens": tokens, "--cors": cors, "--json": json}, "with --mcp, which is for who starts it")
        indexes = [index_as(spec, principals, owner=as_owner) for spec in specs]
        serve_stdio(indexes, ServeConfig(audit=audit, audit_queries=audit_queries))
        return DONE
    known = _tokens(tokens)
    if known:
        without_effect({"--as": principals, "--as-owner": as_owner}, "with tokens, each of which says who reads")
    indexes = [index_as(spec, principals, owner=as_owner) for spec in specs]
    for caller in known:
        if unknown := caller.indexes - {index.spec.name for index in indexes}:
            msg = f"token {caller.name!r} is for index {min(unknown)!r}, which is not served here"
            raise InputError(msg)
    config = ServeConfig(host=host, port=port, tokens=known, origins=tuple(cors or ()), audit=audit,
                         audit_queries=audit_queries, metrics_token=read_settings().metrics_token)  # fmt: skip
    terminal = Terminal(as_json=json)

    def ready(address: str) -> None:
        if json:
            terminal.json({"url": address})
            sys.stdout.flush()  # whoever reads it waits for it
            return
        for index in indexes:
            terminal.say(f"POST {address}/v1/indexes/{index.spec.name}/search", whole=True)
        terminal.say(f"GET  {address}/openapi.json", whole=True)
        if _has_mcp():
            terminal.say(f"MCP  {address}/mcp", whole=True)
        else:
            terminal.note(f"MCP needs an extra: {install_command('serve')}")
        who = f"{len(known)} tokens" if len(known) > 1 else "1 token" if known else "no tokens: for this machine only"
        terminal.note(f"{who}; Ctrl-C ends it")

    with interrupting():
        serve_indexes(indexes, config, ready=ready)
    return DONE


def _tokens(path: Path | None) -> Tokens:
    """Read the tokens of a file, or of the environment; both at once would be a surprise."""
    from relance.serve.tokens import Tokens

    said = os.environ.get("RELANCE_SERVE_TOKENS", "")
    if path is not None and said.strip():
        msg = "tokens come from --tokens or from RELANCE_SERVE_TOKENS; leave one of them out"
        raise InputError(msg)
    if path is not None:
        return Tokens.load(path)
    return Tokens.parse(said) if said.strip() else Tokens()


def _print_token(name: str, terminal: Terminal, *, as_json: bool) -> int:
    """Print a new token and its entry: the only time that it is seen."""
    from relance.serve.tokens import Tokens, digest_of, new_token

    token = new_token()
    entry = f"tokens:\n  - name: {name}\n    sha256: {digest_of(token)}\n"
    Tokens.parse(entry, "--new-token")
    if as_json:
        terminal.json({"name": name, "token": token.get_secret_value(), "sha256": digest_of(token)})
        return DONE
    terminal.say(f"token  {token.get_secret_value()}", whole=True)
    terminal.note("it is shown once and stored nowhere; in the file of tokens stands")
    terminal.say(entry.rstrip(), whole=True)
    return DONE


def _has_mcp() -> bool:
    from importlib.util import find_spec

    return find_spec("mcp") is not None
