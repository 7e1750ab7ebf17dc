"""Patterns of files in a spec: what can never match is refused while the spec is read."""

from __future__ import annotations

__all__ = ["checked_names", "checked_patterns"]


def checked_patterns(patterns: list[str], field: str | None, root: str = "root") -> list[str]:
    """Return the patterns; ValueError for one that can match nothing.

    Args:
        patterns: as in a .gitignore file.
        field: `include` or `exclude`; a negated pattern belongs in the other.
        root: what patterns are relative to.
    """
    other = "include" if field == "exclude" else "exclude"
    for pattern in patterns:
        if not pattern.strip():
            msg = "holds an empty pattern"
        elif pattern.startswith("!"):
            msg = f"{pattern!r} is a negation; put {pattern[1:]!r} under {other}"
        elif pattern.startswith("#"):
            msg = f"{pattern!r} is a comment to .gitignore rules and matches nothing; write {'[#]' + pattern[1:]!r}"
        elif pattern.startswith("./"):
            msg = f"{pattern!r} matches nothing: patterns are relative to {root} already; write {pattern[2:]!r}"
        elif ".." in pattern.split("/"):
            msg = f"{pattern!r} matches nothing: a pattern cannot leave {root}; add a source for the other folder"
        else:
            continue
        raise ValueError(msg)
    return patterns


def checked_names(names: list[str]) -> list[str]:
    """Return the names of ignore files; ValueError for what is no name."""
    for name in names:
        if not name or "/" in name:
            msg = f"{name!r} is not the name of a file; ignore files are looked for in every folder"
            raise ValueError(msg)
    return names
