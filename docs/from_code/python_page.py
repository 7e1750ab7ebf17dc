"""The page of the Python API: every public name, at its home."""

from __future__ import annotations

import relance

HEAD = """# Python

`import relance` gives what is on this page, and imports each part when it is first used. The exceptions have a
[page of their own](errors.md). [From Python](../search.md#from-python) shows hits as tables and data frames.

"""
GROUPS = {
    "The index": ["Index", "load_spec", "IndexSpec"],
    "Runs": ["Plan", "Preview", "Report", "RunHandle", "Progress", "RunSummary", "Rollback", "Maintained", "Status",
             "FailureRow", "CacheSpace"],
    "Search": ["Mode", "Hits", "Hit", "MediaHit", "Explanation", "OWNER"],
}  # fmt: skip
CONTRACTS = """## Tests to inherit

[Plug-ins](../plugins.md) are tested by these.

"""
ROOMS = ("sources", "parsers", "chunkers", "providers", "rerankers")


def page() -> str:
    """Write a directive for each name; a public name that is in no group is an error."""
    named = {name for group in GROUPS.values() for name in group}
    rest = [name for name in relance.__all__ if name not in named and not name.endswith("Error") and name[0] != "_"]
    assert not rest, f"in no group of the page: {rest}"
    text = HEAD
    for title, names in GROUPS.items():
        text += f"## {title}\n\n" + "".join(_directive(home(name)) for name in names)
    return text + CONTRACTS + "".join(_directive(f"relance.testing.{room}", members=True) for room in ROOMS)


def home(name: str) -> str:
    """Name the module that defines a public name; what is no class is named here."""
    if name in HOMES:
        return f"{HOMES[name]}.{name}"
    return f"{getattr(relance, name).__module__}.{name}"


HOMES = {"OWNER": "relance.store.principals", "Mode": "relance.search.mode"}


def _directive(path: str, *, members: bool = False) -> str:
    options = "    options:\n      show_root_heading: false\n      show_root_toc_entry: false\n" if members else ""
    if path.endswith(".IndexSpec"):  # its fields are the reference of the spec
        options = "    options:\n      members: false\n"
    return f"::: {path}\n{options}\n"
