"""Commands that write an index file."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from relance.cli.operations import operations
from relance.cli.options import DONE, AsJson
from relance.cli.outlook import outlook
from relance.cli.terminal import Terminal
from relance.documents import Item
from relance.errors import InputError
from relance.safe_text import redact

if TYPE_CHECKING:
    from relance.config import IndexSpec

__all__ = ["init", "schema"]

_WELCOME = """\
# Welcome

This document was written by `relance init`, so that there is something to find. Put your own documents beside it.
"""


def init(
    folder: Path = Path(),
    *,
    name: str = "",
    origin: Annotated[str, Parameter(name="--from")] = "",
    prefect: Annotated[bool, Parameter(negative="")] = False,
    json: AsJson = False,
) -> int:
    """Declare an index of the documents of a folder: write an index.yaml with comments, and its JSON Schema.

    A folder without documents gets a first one. With --from, the index is over another place, after a look at it.
    It ends with what an ingest would read and cost.

    Parameters
    ----------
    origin
        Where the documents are: s3://bucket/prefix, https://host/sitemap.xml, postgresql://host/database,
        git+https://host/repository, or a folder.
    prefect
        Write a prefect.yaml, too: the deployments of the index for `prefect deploy`. The index may be there already.
    """
    from relance.config.load import SCHEMA_NAME

    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is a file; name a folder"
        raise InputError(msg)
    deployments = folder / "prefect.yaml"
    if prefect and deployments.exists():
        msg = f"{deployments} is there already; remove it or name another folder"
        raise InputError(msg)
    target, there = _index_file(folder)
    if there and not prefect:
        msg = f"{target} is there already; remove it or name another folder"
        raise InputError(msg)
    if there and origin:
        msg = f"{target} is there already; add a source to it, or name another folder"
        raise InputError(msg)
    wrote = {} if there else {"spec": str(target), "schema": str(folder / SCHEMA_NAME)}
    found: list[str] = []
    first: Path | None = None
    if origin:
        root = origin
        found = _write_index_from(target, name or _name_of(folder), origin)
    else:
        root, first = ("", None) if there else _write_index(target, name or _name_of(folder))
    if prefect:
        text = operations("project_file").project_file(_read(target).name, target.name)
        deployments.write_text(text, encoding="utf-8")
        wrote["prefect"] = str(deployments)
    if json:
        Terminal(as_json=True).json(wrote | ({"found": found} if origin else {}))
        return DONE
    terminal = Terminal()
    for line in found:
        terminal.say(line)
    if not there:
        _welcome(terminal, target, root, first, look=not origin)
    if prefect:
        terminal.say(f"wrote {deployments}; then, in {folder}: prefect --no-prompt deploy --all")
    return DONE


def _welcome(terminal: Terminal, target: Path, root: str, first: Path | None, *, look: bool) -> None:
    """Say what was written, the first document among it, what the index will be of, and what to do next."""
    if first:
        terminal.say(f"wrote  {first}, since there was no document")
    terminal.say(f"wrote  {target}, an index of {redact(root)}")
    for line in outlook(target) if look else ():
        terminal.say(line)
    spec = "" if target.parent == Path() else f" {quote(str(target.parent))}"
    terminal.say(f"next   relance ingest{spec}   brings the index in sync; for another model, edit {target} first")
    terminal.say(f"       relance plan{spec}     lists the documents, and what they cost")


def _index_file(folder: Path) -> tuple[Path, bool]:
    """Return the index file of a folder and whether it is there."""
    from relance.config.load import FILE_NAMES

    paths = [folder / name for name in FILE_NAMES]
    there = next((path for path in paths if path.exists()), None)
    return there or paths[0], there is not None


def _read(target: Path) -> IndexSpec:
    from relance.config.load import parse_spec

    return parse_spec(target.read_text(encoding="utf-8"), target, target.parent.absolute())


def _write_index(target: Path, name: str) -> tuple[str, Path | None]:
    """Write an index file, its schema and, where there is none, a first document; return root and document."""
    from relance.config.load import SCHEMA_NAME, parse_spec, template

    folder = target.parent
    spec = parse_spec(template(name, "."), target, folder.absolute())  # refuses a name that no table can have
    folder.mkdir(parents=True, exist_ok=True)
    root, first = _root_of(spec), None
    if not root:
        root = "./docs"
        (folder / "docs").mkdir(exist_ok=True)
        first = folder / "docs" / "welcome.md"
        first.write_text(_WELCOME, encoding="utf-8")
    target.write_text(template(name, root), encoding="utf-8")
    _write_schema(folder / SCHEMA_NAME)
    return root, first


def _write_index_from(target: Path, name: str, address: str) -> list[str]:
    """Write an index file over an address, and its schema; returns what was found there, in sentences."""
    from relance.config.load import SCHEMA_NAME, parse_spec, template
    from relance.sources.suggestion import suggest

    folder = target.parent
    suggestion = suggest(address, folder)
    parse_spec(template(name, "."), target, folder.absolute())  # refuses a name that no table can have
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(template(name, section=suggestion.section), encoding="utf-8")
    _write_schema(folder / SCHEMA_NAME)
    return suggestion.sentences()


def _root_of(spec: IndexSpec) -> str:
    """Choose what is read: `./docs` where all texts are below it, else the folder; empty if there is no document."""
    from relance.parsers.media_types import language_of
    from relance.pipeline.text_reader import open_text_reader

    root = ""
    for item in open_text_reader(spec, 0).list():
        if not isinstance(item, Item):
            continue
        if item.uri.startswith("docs/"):
            root = "./docs"
        elif language_of(item.media_type):
            root = root or "."  # code and settings beside a docs folder are not what it is about
        else:
            return "."
    return root


def schema(*, output: Path | None = None, json: AsJson = False) -> int:
    """Print the JSON Schema of index files, or write it to a file for an editor to complete from.

    Parameters
    ----------
    output
        File to write; it is replaced. Without it, the schema is printed.
    """
    from relance.config.load import json_schema

    if output is None:
        Terminal().plain_json(json_schema())
    else:
        _write_schema(output)
        if json:
            Terminal(as_json=True).json({"schema": str(output)})
        else:
            Terminal().say(f"wrote {output}")
    return DONE


def _write_schema(path: Path) -> None:
    from relance.config.load import schema_text

    path.write_text(schema_text(), encoding="utf-8")


def _name_of(folder: Path) -> str:
    from relance.config.load import index_name

    return index_name(folder.absolute().name)
