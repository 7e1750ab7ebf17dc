"""Why LanceDB could not read something, in words a person can use."""

from __future__ import annotations

import re

from relance.store import faults

__all__ = ["cause_of", "file_in"]

_FILE = re.compile(r"[^\s/]+\.lance/(?:data|_indices|_deletions|_versions)/[^\s,:]+")
_MEANING = (
    (re.compile(r"Not found|No such file"), "it is missing"),
    (re.compile(r"object of size 0 bytes|invalid seek to a negative"), "it is empty"),
    (
        re.compile(
            r"failed to fill whole buffer|Invalid range|file size is too small|correct footer|range was invalid"
        ),
        "it is cut off",
    ),
    (re.compile(r"magic number|Encountered corrupt file|corrupt"), "it is damaged"),
)


def cause_of(error: BaseException) -> str:
    """Say in a few words what was the matter."""
    text = faults.whole_text(error)
    for pattern, meaning in _MEANING:
        if pattern.search(text):
            return meaning
    return faults.cause_of(error)[:300]


def file_in(error: BaseException) -> str:
    """Name the file of a table that an error is about, from the table's folder on; empty where it names none."""
    found = _FILE.search(faults.whole_text(error))
    return found[0] if found else ""
