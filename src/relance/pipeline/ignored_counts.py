"""How much of what the sources have is not in the index, by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from relance.documents import Ignored

__all__ = ["IgnoredCounts", "ignored_lines"]

_EXAMPLES = 3
_KINDS = 8  # named in a line
_LISTED = 50  # kept in the log of runs
_KEPT = 1000  # kinds told apart: names of files may be as many as files


@dataclass(slots=True)
class _Reason:
    files: int = 0
    folders: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


class IgnoredCounts:
    """Counts what is ignored; memory stays flat."""

    def __init__(self) -> None:
        self._reasons: dict[str, _Reason] = {}

    def add(self, ignored: Ignored) -> None:
        """Count one file or folder."""
        reason = self._reasons.setdefault(ignored.reason, _Reason())
        if ignored.uri.endswith("/"):
            reason.folders += 1
        else:
            reason.files += 1
        if ignored.kind and (ignored.kind in reason.kinds or len(reason.kinds) < _KEPT):
            reason.kinds[ignored.kind] += 1
        if len(reason.examples) < _EXAMPLES:
            reason.examples.append(ignored.uri)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain values by reason, most files first: `files`, `folders`, frequent `kinds`, `examples`."""
        ordered = sorted(self._reasons.items(), key=lambda each: -each[1].files - each[1].folders)
        return {
            name: {"files": reason.files, "folders": reason.folders, "kinds": dict(reason.kinds.most_common(_LISTED)),
                   "examples": reason.examples}
            for name, reason in ordered
        }  # fmt: skip


def ignored_lines(counts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say for people what was ignored, a line a reason: `7 files: type that is not read (4 .iso, 3 .bin)`."""
    lines = []
    for reason, values in counts.items():
        numbers = [f"{values[name]:,} {name if values[name] != 1 else name[:-1]}"
                   for name in ("files", "folders") if values[name]]  # fmt: skip
        kinds = list(values["kinds"].items())
        named = [f"{count:,} {kind}" for kind, count in kinds[:_KINDS]]
        named += ["…"] if len(kinds) > _KINDS else []
        details = ", ".join(named) or (values["examples"][0] if len(values["examples"]) == 1 else "")
        lines.append(f"{' and '.join(numbers)}: {reason}" + (f" ({details})" if details else ""))
    return lines
