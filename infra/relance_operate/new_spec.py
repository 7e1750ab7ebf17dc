"""The index file that the form of the flow `new-index` makes: over an address, with a model, a store and a schedule."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from relance.config.load import SCHEMA_NAME, index_name, parse_spec, schema_text, template
from relance.errors import ConfigurationError, SpecError
from relance.safe_text import redact
from relance.sources.suggestion import suggest

__all__ = ["INDEXES", "NewSpec"]

# A variable of the server: the folder on the worker's machine in which each index gets a folder of its own.
INDEXES = "relance_indexes"

_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(slots=True)
class NewSpec:
    """What somebody filled in.

    Attributes:
        address: of documents, as `relance init --from` takes it; `${NAME}` stands for a variable of the worker.
        name: of the index; empty: after the address.
        credentials: name of a block with a key; empty: the environment has it, or the model needs none.
        store: name of a block that says where the tables are; empty: a folder beside the spec.
        schedule: five fields of cron; empty: no schedule.
    """

    address: str
    name: str = ""
    model: str = "local/wordllama"
    credentials: str = ""
    store: str = ""
    schedule: str = ""
    timezone: str = "UTC"
    found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.address = self.address.strip()
        self.name = self.name.strip() or name_after(self.address)

    def check(self) -> None:
        """Raise ConfigurationError for an address that shows a secret, or a path that depends on where a run is."""
        plain = _VARIABLE.sub("", self.address)
        if "://" in plain:
            place = urlsplit(plain)
            if place.password or redact(query := f"x://x?{place.query}") != query:
                msg = (
                    "the address holds a password, and whoever sees the Prefect UI sees it; write a variable of the "
                    "worker's environment instead, as in postgresql://reader:${NAME}@host/database"
                )
                raise ConfigurationError(msg)
        elif not self.address.startswith("${") and not Path(plain).expanduser().is_absolute():
            msg = f"{self.address!r} is a path that depends on where the worker is run; write it from / on"
            raise ConfigurationError(msg)

    def write(self, indexes: Path) -> Path:
        """Look at the address and write the spec and its schema into a folder of its own; returns its path.

        Raises ConfigurationError for a wrong name and if there is a spec already, InputError for an address of no kind,
        SourceError where nothing can be listed there, SpecError where the fields make no spec.
        """
        self.check()
        folder = indexes.expanduser() / self.name
        path = folder / "index.yaml"
        try:
            parse_spec(template(self.name, "."), "Name", indexes)  # refuses a name that no table can have
        except SpecError:  # which names a line of the template that nobody has seen
            if (would := index_name(self.name)) == self.name:
                raise
            msg = f"Name: expected lower-case letters, digits, - and _, got {self.name!r}; {would!r} would do"
            raise ConfigurationError(msg) from None
        if folder.exists():
            msg = f"the folder {folder} is there already; name the index otherwise, or `relance deploy` what is there"
            raise ConfigurationError(msg)
        text = self.text(folder)
        parse_spec(text, path, folder)
        folder.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        (folder / SCHEMA_NAME).write_text(schema_text(), encoding="utf-8")
        return path

    def text(self, folder: Path) -> str:
        """Write the spec as it would be in a folder, after a look at the address."""
        values = {name: _value_of(name) for name in _VARIABLE.findall(self.address)}
        address = _VARIABLE.sub(lambda found: values[found[1]], self.address)
        if "://" not in address:
            address = str(Path(address).expanduser())
        suggestion = suggest(address, folder)
        self.found = [each for each in suggestion.sentences() if "password" not in each]
        relative = os.path.relpath(address, folder.absolute()) if "://" not in address else ""
        section = {key: address if value == relative else value for key, value in suggestion.section.items()}
        section = _hidden(section, suggestion.variable, address, values)
        model = f"  model: {_scalar(self.model)}\n" + (
            f"  credentials: {_scalar(self.credentials)}\n" if self.credentials else ""
        )
        text = template(self.name, section=section).replace("  model: local/wordllama\n", model, 1)
        if self.store:
            text = text.replace("store:\n  uri: ./lancedb\n", f"store:\n  block: {_scalar(self.store)}\n", 1)
        if self.schedule:
            when = yaml.safe_dump({"cron": self.schedule, "timezone": self.timezone}, default_flow_style=True).strip()
            text = text.replace("#schedule: null\n", f"schedule: {when}\n", 1)
        return text


def name_after(address: str) -> str:
    """Name an index after the last part of an address that says something: `s3://bucket/manuals/` → `manuals`."""
    place = urlsplit(address) if "://" in address else None
    parts = [place.hostname or "", *place.path.split("/")] if place else address.split("/")
    last = next((part for part in reversed(parts) if part.strip(".~ ")), "")
    if place and last == place.hostname:
        last = re.sub(r"^www\.|\.[a-z]+$", "", last)
    else:
        last = re.sub(r"\.(git|xml|md|html?|txt)$", "", last)
    return index_name(last)


def _hidden(section: dict[str, Any], variable: str, address: str, values: Mapping[str, str]) -> dict[str, Any]:
    """Put the variables back into a section that was found with their values; `variable` stands for the password."""
    written = json.dumps(section)
    password = urlsplit(address).password if "://" in address else None
    for name, value in values.items():
        if variable and value == password:
            written = written.replace(f"${{{variable}}}", f"${{{name}}}")
        written = written.replace(json.dumps(value)[1:-1], f"${{{name}}}")
    return json.loads(written)


def _value_of(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ConfigurationError(f"the address needs {name}, and the environment of the worker has no such variable")
    return value


def _scalar(text: str) -> str:
    return yaml.safe_dump(text.strip()).splitlines()[0]
