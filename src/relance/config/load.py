"""From `index.yaml` to an `IndexSpec`, with every problem of the file in one error."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from relance.config import IndexSpec
from relance.config.blocks import with_blocks
from relance.config.finding import takes_variables
from relance.config.index import SCHEMA_NAME
from relance.config.messages import explain, is_number, unknown_key, unknown_plugin
from relance.config.plugins import GROUPS, Plugins, plugins
from relance.config.shape import Shape
from relance.config.tree import Position, Problem, Tree, TreeError, label, read_tree
from relance.errors import SpecError

__all__ = ["FILE_NAMES", "SCHEMA_NAME", "find_file", "index_name", "json_schema", "load_spec", "parse_spec",
           "schema_text", "template"]  # fmt: skip

FILE_NAMES = ("index.yaml", "index.yml")
# What relance writes beside documents, and what package managers put there.
OURS = (*(f"/{name}" for name in FILE_NAMES), SCHEMA_NAME, "/prefect.yaml", "/lancedb/", "node_modules/", "venv/")
MAX_BYTES = 1 << 20  # nobody writes a megabyte by hand: more is the wrong file
INSTALLED = Plugins()
VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


def load_spec(path: str | Path, plugins: Plugins = INSTALLED) -> IndexSpec:
    """Load an index file, or the `index.yaml` of a folder; raises SpecError with all its problems.

    `plugins` say what the names in it mean.

    Keys and stores that it leaves to Prefect blocks are filled in; ConfigurationError where there is no such block.
    """
    file = find_file(path)
    try:
        data = file.read_bytes() if file.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        raise SpecError(file, [(None, "", f"cannot be read: {error.strerror}")]) from None
    if data is None:
        raise SpecError(file, [(None, "", f"is larger than {MAX_BYTES >> 20} MB; is this an index file?")])
    return with_blocks(parse_spec(_decode(data, file), file, file.parent.absolute(), plugins))


def find_file(path: str | Path) -> Path:
    """Find the index file a path means: itself, or the `index.yaml` of a folder; raises SpecError."""
    path = Path(path).expanduser()
    if path.is_dir():
        found = [path / name for name in FILE_NAMES if (path / name).is_file()]
        if len(found) == 1:
            return found[0]
        if found:
            raise SpecError(path, [(None, "", f"holds both {' and '.join(FILE_NAMES)}; remove one")])
        raise SpecError(path, [(None, "", f"holds no {' or '.join(FILE_NAMES)}; {_nearby(path)}")])
    if not path.is_file():
        raise SpecError(path, [(None, "", f"there is no such file or folder; {_nearby(path.parent)}")])
    return path


def parse_spec(text: str, file: Path | str, folder: Path, plugins: Plugins = INSTALLED) -> IndexSpec:
    """Read the text of an index file; `file` is what errors call it, relative paths belong to `folder`.

    Raises SpecError. No error holds the value of a field that may be secret.
    """
    problems: list[Problem] = []
    spec: IndexSpec | None = None
    try:
        tree = read_tree(text)
    except TreeError as error:
        problems = [error.problem]
    else:
        problems = tree.problems
        if isinstance(tree.data, dict):
            spec = _validate(tree, folder, plugins)
        else:
            problems.append((1, "", _not_a_mapping(tree.data)))
    if problems or spec is None:
        # Outside any except block: pydantic's error, which holds the values, must not hang on to ours.
        raise SpecError(file, sorted(problems, key=lambda problem: problem[0] or 0))
    return spec.as_written(text, file if isinstance(file, Path) else None)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an index file, for editors."""
    schema = IndexSpec.model_json_schema()
    del schema["properties"]["folder"]
    sections = schema["$defs"]
    for part in (schema, *sections.values()):
        for field in part["properties"].values():
            if field.pop("env", False):
                field["description"] += " May say ${NAME} or ${NAME:-default}."
            if "$ref" in field:
                field.setdefault("description", sections[field["$ref"].rpartition("/")[2]].get("description", ""))
            if any("$ref" in each for each in (field, *field.get("anyOf", ()))) and isinstance(
                field.get("default"), dict
            ):
                del field["default"]  # the section's own fields carry theirs
            if "description" in field:
                field["description"] = " ".join(field["description"].split())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    """Return the JSON Schema as the file that is written beside an index file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def index_name(words: str) -> str:
    """Make a name that an index may have of any words: small letters, digits, hyphens, at most 63."""
    return re.sub("[^a-z0-9]+", "-", words.lower()).strip("-")[:63].rstrip("-") or "index"


def template(name: str = "my-index", root: str = "./docs", section: Mapping[str, Any] | None = None) -> str:
    """Write a commented index file to start from; deleting a `#` leaves a file that loads.

    Where documents lie beside the file (root `.`), what relance itself writes there is excluded. With the `section` of
    another source than a folder, that stands there instead.
    """
    # A name such as 2024 or on needs quotes, and YAML knows which.
    text = TEMPLATE.replace("NAME", yaml.safe_dump(name).splitlines()[0], 1)
    for group in GROUPS:
        names = list(plugins(group))
        text = text.replace(f"INSTALLED {group}", f"{', '.join(names[:-1])} or {names[-1]}" if names[1:] else names[0])
    if root == ".":
        text = text.replace("    #exclude: []\n", f"    exclude: [{', '.join(OURS)}]\n", 1)
    if section is None:
        return text.replace("root: ./docs", f"root: {root}", 1)
    begin, end = text.index("  - type: files"), text.index("# How documents are split")
    written = yaml.safe_dump([dict(section)], sort_keys=False, allow_unicode=True, width=1000)
    hint = f"    # What else it may say: relance sources {section['type']}\n"
    return text[:begin] + "".join(f"  {line}\n" for line in written.splitlines()) + hint + "\n" + text[end:]


def _nearby(folder: Path) -> str:
    if not folder.is_dir():
        return f"the folder {folder} does not exist either"
    names = sorted(path.name for path in folder.iterdir() if path.suffix in {".yaml", ".yml"})
    if not names:
        return "no YAML file is beside it; relance init writes one"
    return f"YAML files beside it: {', '.join(names[:10])}" + (", …" if len(names) > 10 else "")


def _decode(data: bytes, file: Path) -> str:
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise SpecError(file, [(None, "", "is written in UTF-16; save it as UTF-8")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = (data.count(b"\n", 0, error.start) + 1, "", "is not UTF-8 here; save the file as UTF-8")
    raise SpecError(file, [problem])


def _not_a_mapping(data: Any) -> str:
    if data is None:
        return "is empty; relance init writes one to start from"
    if isinstance(data, list):
        return "begins with a list; expected 'key: value' lines such as 'name: …', with the list under 'sources:'"
    hint = " (a full-width '：' is not a colon to YAML)" if "：" in str(data) else ""
    return f"expected 'key: value' lines such as 'name: …', found only text{hint}"


def _validate(tree: Tree, folder: Path, plugins: Plugins) -> IndexSpec | None:
    shape = Shape(tree.data, plugins)
    if "folder" in tree.data:
        tree.problems.append((tree.line(("folder",)), "folder", unknown_key(("folder",), shape)))
    known = {field for _, field, _ in tree.problems}
    data = _resolve(tree.data, (), tree, shape)
    unread = []  # sections of which nobody knows what they may hold
    for position, mark, base, values in shape.plugin_sections():
        place = (*position, mark.field)
        if message := unknown_plugin(mark, base, values, plugins):
            tree.problems.append((tree.line(place), label(place), message))
        if message or mark.name(base, values) not in plugins.names(mark.group):
            unread.append(position)
    try:
        spec = IndexSpec.model_validate({**data, "folder": folder}, context=plugins)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    else:
        return spec
    known |= {field for _, field, _ in tree.problems}
    for problem in found:
        position = _position(problem["loc"], tree.data, missing=problem["type"] in {"missing", "value_error"})
        name = label(position)
        # A value that is wrong already has no second fault worth reading.
        if name not in known and not (problem["type"] == "extra_forbidden" and position[:-1] in unread):
            tree.problems.append((tree.line(position), name, explain(problem, position, tree, shape)))
    return None


def _resolve(value: Any, position: Position, tree: Tree, shape: Shape) -> Any:
    """Copy a value with its variables filled in and sections that were left empty taken out."""
    if isinstance(value, dict):
        kept = {key: child for key, child in value.items() if not _left_empty(child, (*position, key), tree, shape)}
        return {key: _resolve(child, (*position, key), tree, shape) for key, child in kept.items()}
    if isinstance(value, list):
        return [_resolve(child, (*position, index), tree, shape) for index, child in enumerate(value)]
    field = shape.field(position)
    message = ""
    if field is None:
        return value  # unknown, and refused as such
    if tree.empty(position) and value is None:
        message = "has no value: remove the line, or write one" + (
            " ({} for the defaults)" if isinstance(position[-1], str) and shape.models(position) else ""
        )
    elif isinstance(value, bool) and is_number(field):
        message = f"expected a number, got {tree.raw[position]}"
    elif isinstance(value, str) and "${" in value:
        value, message = _expand(value) if takes_variables(field) else (value, NO_VARIABLES)
    if message:
        tree.problems.append((tree.line(position), label(position), message))
    return value


NO_VARIABLES = (
    "${…} is read in secrets and paths only, because an index must mean the same on every machine; write the value"
)


def _left_empty(value: Any, position: Position, tree: Tree, shape: Shape) -> bool:
    # `limits:` with every line below it commented out means the defaults.
    if value is not None or not tree.empty(position):
        return False
    field = shape.field(position)
    return field is not None and not field.is_required() and isinstance(field.default, BaseModel | dict)


def _expand(text: str) -> tuple[str, str]:
    """Fill in ${NAME} and ${NAME:-default}; returns the text and, if that failed, why."""
    unset: list[str] = []

    def variable(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if default is not None:
            return os.environ.get(name) or default  # as in a shell, an empty variable counts as unset here
        if name not in os.environ:
            unset.append(name)
        return os.environ.get(name, "")

    if "${" in VARIABLE.sub("", text):
        return text, "a variable is written ${NAME} or ${NAME:-default}"
    result = VARIABLE.sub(variable, text)
    if unset:
        names = " and ".join(dict.fromkeys(unset))
        return text, f"the environment variable {names} is not set; set it, or write ${{{unset[0]}:-default}}"
    return result, ""


def _position(loc: tuple[str | int, ...], data: Any, *, missing: bool) -> Position:
    """Turn pydantic's location into one of the file: it also names the branch of a union it took."""
    position: Position = ()
    for index, part in enumerate(loc):
        here = _at(data, position)
        inside = isinstance(here, dict) and part in here
        entry = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if inside or entry or (missing and index == len(loc) - 1):
            position = (*position, part)
    return position


def _at(data: Any, position: Position) -> Any:
    for part in position:
        if isinstance(data, dict):
            data = data.get(str(part))
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data


TEMPLATE = """\
# yaml-language-server: $schema=./index.schema.json
# An index for relance. Lines that begin with # followed by a space are comments; delete the # of an option to
# change it. What is commented out shows the default. Editors complete from the schema named above.

name: NAME

# Where documents come from; the type is INSTALLED sources. Paths are relative to this file.
sources:
  - type: files
    root: ./docs
    # Patterns that let a path in, and patterns that take it out again.
    #include: ["**/*"]
    #exclude: []
    # Files with .gitignore rules that are obeyed.
    #ignore_files: [.gitignore, .relanceignore]
    # A larger file becomes a failure of its own instead of being read.
    #max_size: 64MiB
    # {id: id, text: [text]} reads each row of a CSV, TSV, JSONL or Parquet file as a document.
    #rows: null
    # Where a service can fetch this folder's files: local videos are sent by address only.
    #public_url: ""

# How documents are split into chunks. Tokens are counted by the embedding model's own tokenizer.
chunking:
  # INSTALLED chunkers
  strategy: auto
  #max_tokens: 256
  #overlap_tokens: 0
  # What is put before a chunk when it is embedded: title, headings, or both.
  #context: []

# Which model turns text into vectors: provider/model, of INSTALLED providers.
# local/... needs no key and no network.
embedding:
  model: local/wordllama
  # Where a service listens, and its key; OPENAI_API_KEY or DASHSCOPE_API_KEY in the environment will do as well.
  #base_url: ""
  #api_key: ${EMBEDDING_API_KEY:-}
  # DashScope: where, and which vectors are stored (dense, sparse or dense&sparse).
  #region: singapore
  #output_type: dense
  # batch sends large work as files that are done within a day at half the price.
  #mode: online
  # How hard the service may be pushed; 0 requests per minute means the published limit.
  #max_concurrency: 8
  #requests_per_minute: 0

# Images and videos too: files, addresses in tables, pictures in documents. {} takes every default.
#media: null

# How it is searched unless a question says otherwise. {rerank: {model: dashscope/qwen3-rerank}} has a model read the
# best hits beside the question and sort them once more.
#search: {}

# Where the tables are: a folder, s3://bucket/path, or db://database.
store:
  uri: ./lancedb
  # How long old versions stay, to roll back to.
  #retention_days: 7

# What a run may do before it has to stop. A budget in US dollars; null means none.
limits:
  #max_cost_usd: null
  # Above so many dollars, or when more than this part of the documents would go, a run asks first.
  #approve_above_usd: null
  #max_removed_fraction: 0.5
  # Batches of documents between loading and writing at once; bounds memory.
  batches_in_flight: 4
  #batch_documents: 1000

# What reads, splits and embeds: threads, processes (all cores of this machine), dask or ray (a cluster), or work-pool
# (flow runs on a Prefect work pool). `address` is the cluster's, or the pool's name.
engine:
  name: threads
  #workers: 0
  #address: ""

# What new and changed documents have to be like: {anomalies: warn} reports those that are far from what the index
# holds, {anomalies: refuse} keeps them out.
#quality: {}

# When `relance deploy` brings the index in sync: on a schedule ({cron: "0 3 * * *", timezone: Europe/Paris}),
# or every so often ({every_minutes: 15}); and when a source says that it changed.
#schedule: null
#on_change: true
"""
