"""Files that people write by hand: what is wrong with one is told with its path."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from relance.errors import ConfigurationError

__all__ = ["parse_yaml", "readable", "utf8"]


@contextmanager
def readable(path: Path) -> Generator[None]:
    """Turn what prevents a file from being read as UTF-8 into a ConfigurationError."""
    try:
        with utf8(path):
            yield
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise ConfigurationError(msg) from None


@contextmanager
def utf8(path: Path) -> Generator[None]:
    """Turn another encoding into a ConfigurationError; whether the file is there is the caller's to tell."""
    try:
        yield
    except UnicodeDecodeError as error:
        msg = f"{path}: is not UTF-8 ({error.reason} at byte {error.start})"
        raise ConfigurationError(msg) from None


def parse_yaml(path: Path) -> Any:
    """Read YAML as plain values; ConfigurationError names the line that is none."""
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        msg = f"{where}: is no YAML: {getattr(error, 'problem', None) or error}"
        raise ConfigurationError(msg) from None
