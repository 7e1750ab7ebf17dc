"""The section of a `git` source."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from relance.config.patterns import checked_names, checked_patterns
from relance.config.sources import SourceSpec
from relance.config.spec_model import ENV
from relance.sources.git.address import Address

__all__ = ["PLACEHOLDERS", "GitSpec"]

# What is a repository's address for certain.
_SCHEMES = ("git+", "git://", "ssh://")

PLACEHOLDERS = ("commit", "ref", "path", "line", "line_end")
# What git allows in no name of a branch or tag; `@{` and `..` mean something else to it.
_NO_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)")


class GitSpec(SourceSpec, title="Git"):
    """The files of a commit of a git repository."""

    type: Literal["git"] = Field(title="Type", examples=["git"])
    """What kind of source this is; `git` reads the files of a repository."""
    url: str = Field(title="Repository", json_schema_extra=ENV, examples=["https://github.com/org/repo"])
    """Address as `git clone` takes it (https, ssh, git://), or the path of a repository, relative to the spec file."""
    ref: str = Field(default="", title="Branch or tag", json_schema_extra=ENV, examples=["main", "v2.1"])
    """Branch, tag or commit (all 40 digits); empty: the default branch. A branch or tag is part of the uris."""
    folder: str = Field(default="", title="Folder", examples=["docs"])
    """Folder of the repository to read; empty: all of it."""
    include: list[str] = Field(default=["**/*"], title="Include", min_length=1, examples=[["**/*.md", "src/**/*.py"]])
    """Patterns a path must match one of, from `folder`; `**` crosses folders, a pattern without `/` matches in all."""
    exclude: list[str] = Field(default=[], title="Exclude", examples=[["vendor/**"]])
    """Patterns that take a path out again."""
    ignore_files: list[str] = Field(default=[".relanceignore"], title="Ignore files")
    """Names of files in the repository with .gitignore rules for their folder and below; [] reads none."""
    hidden: bool = Field(default=False, title="Hidden files")
    """Whether names that begin with a dot are read."""
    username: str = Field(default="", title="User", json_schema_extra=ENV, examples=["${GIT_USER}"])
    """Who the token belongs to, where the server asks for that; most take any name."""
    token: SecretStr = Field(default=SecretStr(""), title="Token", json_schema_extra=ENV, examples=["${GIT_TOKEN}"])
    """Token or password for https. Empty: what git itself finds (credential helpers); ssh uses your keys and agent."""
    web_url: str = Field(
        default="", title="Page of a file", examples=["https://git.example.com/org/repo/blob/{commit}/{path}#L{line}"]
    )
    """Where people see a file, with {commit}, {ref}, {path}, {line} and {line_end}; known for GitHub, GitLab, Gitea,
    Bitbucket and Codeup."""
    timeout_s: int = Field(default=600, title="Time limit", ge=1)
    """Seconds after which a git command that has not ended is ended."""

    @classmethod
    def suggest(cls, address: str) -> dict[str, Any] | None:
        """Take `git+https://…`, `git://…`, `ssh://…`, and what ends with `.git`; a branch or tag stands behind `#`."""
        url, _, ref = address.partition("#")
        if "://" not in url or not (url.startswith(_SCHEMES) or url.endswith(".git")):
            return None
        return {"type": "git", "url": url.removeprefix("git+")} | ({"ref": ref} if ref else {})

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        Address.of(value, Path("/"))
        return value.strip()

    @field_validator("ref")
    @classmethod
    def _can_be_a_ref(cls, value: str) -> str:
        value = value.strip()
        if value.startswith(("-", "/", "+")) or value.endswith(("/", ".")) or _NO_REF.search(value):
            msg = f"{value!r} can be no branch, tag or commit"
            raise ValueError(msg)
        return value

    @field_validator("folder")
    @classmethod
    def _folder_is_inside(cls, value: str) -> str:
        path = value.strip().removeprefix("./").strip("/")
        if any(part in {"", ".", "..", ".git"} for part in path.split("/")) and path:
            msg = f"{value!r} is no folder of a repository; write it from the top, such as docs/guide"
            raise ValueError(msg)
        return path

    @field_validator("include", "exclude")
    @classmethod
    def _patterns_can_match(cls, patterns: list[str], info: ValidationInfo) -> list[str]:
        return checked_patterns(patterns, info.field_name, "`folder`")

    @field_validator("ignore_files")
    @classmethod
    def _ignore_files_are_names(cls, names: list[str]) -> list[str]:
        return checked_names(names)

    @field_validator("web_url")
    @classmethod
    def _placeholders_are_known(cls, value: str) -> str:
        if value and not value.lower().startswith(("http://", "https://")):
            msg = f"{value!r} is no address; it begins with https://"
            raise ValueError(msg)
        try:
            names = {name for _, name, _, _ in string.Formatter().parse(value) if name is not None}
        except ValueError:
            names = {""}
        if names - set(PLACEHOLDERS):
            msg = f"{value!r} may hold {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)} and no other braces"
            raise ValueError(msg)
        return value
