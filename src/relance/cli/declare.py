"""Commands that write an index file."""

from __future__ import annotations

import re
from pathlib import Path

from relance.cli.options import DONE, AsJson
from relance.cli.terminal import Terminal
from relance.errors import InputError

__all__ = ["init", "schema"]

_WELCOME = """\
# Welcome

This document was written by `relance init`, so that there is something to find. Put your own documents beside it.
"""


def init(folder: Path = Path(), *, name: str = "", json: AsJson = False) -> int:
    """Write a commented index.yaml and its JSON Schema into a folder; an empty one gets a first document, too."""
    from relance.config.load import SCHEMA_NAME, parse_spec, template

    target = folder / "index.yaml"
    if target.exists():
        msg = f"{target} is there already; remove it or name another folder"
        raise InputError(msg)
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is a file; name a folder"
        raise InputError(msg)
    text = template(name or _name_of(folder))
    parse_spec(text, target, folder)  # refuses a name that no table can have
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        (folder / "docs").mkdir()
        (folder / "docs" / "welcome.md").write_text(_WELCOME, encoding="utf-8")
    target.write_text(text, encoding="utf-8")
    _write_schema(folder / SCHEMA_NAME)
    if json:
        Terminal(as_json=True).json({"spec": str(target), "schema": str(folder / SCHEMA_NAME)})
    else:
        Terminal().say(f"wrote {target}; edit its sources, then: relance ingest {target}")
    return DONE


def schema(*, output: Path | None = None, json: AsJson = False) -> int:
    """Print the JSON Schema of index files, or write it to a file for an editor to complete from."""
    from relance.config.load import json_schema

    if output is None:
        Terminal().json(json_schema())
    else:
        _write_schema(output)
        if json:
            Terminal(as_json=True).json({"schema": str(output)})
        else:
            Terminal().say(f"wrote {output}")
    return DONE


def _write_schema(path: Path) -> None:
    import json

    from relance.config.load import json_schema

    path.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _name_of(folder: Path) -> str:
    name = re.sub("[^a-z0-9]+", "-", folder.absolute().name.lower()).strip("-")
    return name[:63].rstrip("-") or "index"
