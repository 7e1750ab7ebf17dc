"""How deployed indexes are named among Prefect's variables, each of which says where a spec is."""

from __future__ import annotations

__all__ = ["PREFIX", "index_of", "variable_of"]

PREFIX = "relance_index_"


def variable_of(index: str) -> str:
    """Name the variable of an index: they take `_` only, and no index has `__` in its name."""
    return PREFIX + index.replace("-", "__")


def index_of(variable: str) -> str:
    """Name the index of a variable; empty where it is none of ours."""
    return variable.removeprefix(PREFIX).replace("__", "-") if variable.startswith(PREFIX) else ""
