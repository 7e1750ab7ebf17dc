"""Patterns of .gitignore as regular expressions that take linear time, whatever the pattern and the path are."""

from __future__ import annotations

import re

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

__all__ = ["glob_pattern"]

# What pathspec makes of a pattern: escaped characters, classes, and its forms of `*` and `**`; a `(?` opens the end.
_TOKEN = re.compile(
    r"(?P<lead>\^\(\?:\.\+/\)\?)|(?P<skip>\(\?:/\.\+\)\?)|(?P<end>\(\?.*)|(?P<star>\[\^/\]\*)"
    r"|(?P<slash>/)|\\.|\[\^?\]?[^\]]*\]\+?|.",
    re.DOTALL,
)


def glob_pattern(line: str) -> GitIgnoreSpecPattern:
    """Translate a line of a .gitignore; raises what pathspec raises, and re.error.

    Pathspec backtracks: `*a*a*a*b` tries all ways to place three letters, and a name of 100 letters takes longer than
    anybody waits. The first place of each is enough: what stands before the last `*` of a name, and before the last
    `**` of a path, is made atomic.
    """
    regex, include = GitIgnoreSpecPattern.pattern_to_regex(line)
    return GitIgnoreSpecPattern(re.compile(_linear(regex)) if regex else None, include)


def _linear(regex: str) -> str:
    """Rewrite an expression of pathspec so that it matches the same in linear time."""
    parts = [""]  # between the `**`
    after_star: str | None = None  # of the name we are in
    leads, end = False, ""
    for token in _TOKEN.finditer(regex):
        if token["star"]:
            if after_star is not None:
                parts[-1] += f"(?>[^/]*?{after_star})"
            after_star = ""
        elif after_star is not None and not (token["slash"] or token["skip"] or token["end"]):
            after_star += token[0]
        else:
            if after_star is not None:
                parts[-1] += f"[^/]*{after_star}"
                after_star = None
            if token["lead"]:
                leads = True
            elif token["skip"]:
                parts.append("")
            elif token["end"]:
                end = token[0]
            else:
                parts[-1] += token[0]
    if after_star is not None:
        parts[-1] += f"[^/]*{after_star}"
    *firsts, last = parts
    if not firsts:
        return ("^(?:.+/)?" if leads else "") + last + end
    first = f"^(?>(?:[^/]+/)*?{firsts[0]}(?=/))" if leads else firsts[0]
    between = "".join(f"(?>(?:/[^/]+)*?{part}(?=/))" for part in firsts[1:])
    return f"{first}{between}(?:/.+)?{last}{end}"
