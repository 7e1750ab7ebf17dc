"""The page of environment variables, made of the settings."""

from __future__ import annotations

import re

from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from relance.config.settings import Settings
from relance.events import settings as events

HEAD = """# Environment

Secrets and addresses come from variables of the environment, or from `.env` in the folder where relance is started. A
variable that is empty counts as not set. Fields of a spec may name others, as `${NAME}` or
`${NAME:-default}`, where [the reference](spec.md) says so.

"""


def page() -> str:
    """Write a table of variables for each class of settings."""
    kinds = [each for each in vars(events).values() if isinstance(each, type) and issubclass(each, BaseSettings)]
    return HEAD + "\n".join(_table(kind) for kind in [Settings, *kinds] if kind is not BaseSettings)


def _table(kind: type[BaseSettings]) -> str:
    text = kind.__doc__ or ""
    about, _, attributes = text.partition("Attributes:")
    meanings = dict(re.findall(r"^ {8}(\w+): (.+?)(?=^ {8}\w|\Z)", attributes, flags=re.MULTILINE | re.DOTALL))
    lines = [f"{' '.join(about.split())}\n", "| variable | meaning |", "|---|---|"]
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        names = alias.choices if isinstance(alias, AliasChoices) else [alias or name]
        meaning = " ".join(meanings.get(name, "").split())
        shown = ", ".join(f"`{str(each).upper()}`" for each in names)
        # The docstring names the variable first, which is the other column here.
        meaning = re.sub(r"^[A-Z][A-Z_]+(?: or [A-Z_]+)?[,.:;]?\s*", "", meaning)
        meaning = meaning[:1].upper() + meaning[1:]
        lines.append(f"| {shown} | {meaning} |")
    return "\n".join(lines) + "\n"
