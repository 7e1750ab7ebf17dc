"""The command that lists plug-ins."""

from __future__ import annotations

from typing import Any

from relance.cli.options import DONE, AsJson
from relance.cli.terminal import Terminal
from relance.config.plugins import GROUPS, Plugin
from relance.config.plugins import plugins as installed
from relance.errors import ConfigurationError

__all__ = ["plugins"]


def plugins(*, json: AsJson = False) -> int:
    """List the installed sources, parsers, chunkers, providers and rerankers, and why one cannot be imported."""
    terminal = Terminal(as_json=json)
    rows = [_described(plugin) for group in GROUPS for plugin in installed(group).values()]
    if json:
        terminal.json({"plugins": rows})
        return DONE
    for group in GROUPS:
        terminal.pairs(group, {row["name"]: _line(row) for row in rows if row["group"] == group})
    return DONE


def _described(plugin: Plugin) -> dict[str, Any]:
    row: dict[str, Any] = {"group": plugin.group, "name": plugin.name, "package": plugin.package,
                           "package_version": plugin.package_version, "version": None, "title": "",
                           "problem": None}  # fmt: skip
    try:
        kind = plugin.load()
    except ConfigurationError as error:
        row["problem"] = str(error)
    else:
        row["version"] = getattr(kind, "version", None)
        row["title"] = (kind.__doc__ or "").strip().partition("\n")[0]
    return row


def _line(row: dict[str, Any]) -> str:
    package = f"{row['package']} {row['package_version']}"
    if row["problem"]:
        return f"{package}: {row['problem']}"
    version = f", version {row['version']}" if row["version"] else ""
    return f"{package}{version}: {row['title']}"
