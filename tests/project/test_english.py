"""The English of everything people read: no banned turn of phrase, and plurals that fit their number."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from relance.cli.main import app
from relance.config.load import json_schema

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md",
         ROOT / "SECURITY.md"]  # fmt: skip
SOURCE = {file: ast.parse(file.read_text(encoding="utf-8")) for file in sorted((ROOT / "src").rglob("*.py"))}

# A turn that readers whose third language is English stumble over, and what to write instead.
TURNS = {
    r"\btold\b|\btell(?:s|ing)?\b": "says, reports, shows, distinguishes",
    r"\b(?:is|are|was|were|be|been|being) kept\b|\bkept (?:by|for|in|with)\b(?! sync)": "stays, is stored, remains",
    r"\bwhat (?:is|are|was|were) asked\b|\basked for\b": "the query, the question, requested, needed",
    r"\bis known of\b|\bnothing is known\b": "there is no …, the … is unknown",
    r"\bby the clock\b": "on a schedule",
    r"\b(?:runs?|started?|built|done) by hand\b": "manual",
    r"\bin step\b": "in sync",
    r"\bstore of paid-for\b|\bpaid[- ]for vectors?\b": "embedding cache",
    r"\bcut(?:s|ting)? (?:in|into|by|at|up|the|a|each|every|it|them|documents?|texts?)\b|\b(?:is|are) cut\b(?! off| short)":
        "split, shorten, limit",
    r"\bwithout a word\b": "silently",
    r"\b(?:is|are) to be \w+(?:ed|en|un|ut|ad|lt|de)\b": "must be …, or the imperative: run it again",
    r"\bmade of the code\b": "generated from the code",
    r"\b(?:be it|lest|thence|whence|hence|thereof|whereof|aught|wherein|therein)\b": "a plain word",
    # Inversions: the genitive or the object goes first, and the reader has to wait for what it belongs to.
    r"(?:^|[.:;] )Of (?:a|an|the|all|both|these|those|them|it|its|what|which|others?|several|two)\b": "name the thing first",
    r"[,;:] of (?:them|it|these|those|others?|each) (?:only|nothing|all|none|the|one|what)\b": "name the thing first",
    r"\b(?:only|never|neither|nor|so) (?:does|do|is|are|has|have|can|may|will) (?:it|they|he|she|there|this|these)\b":
        "the subject before its verb",
    r"\b(?:does|do|is|are|has|have) (?:it|they) not\b": "the subject before its verb",
}  # fmt: skip
# Text that has one of them for a reason.
ALLOWED = {"of the wrong kind, expected": "it follows the name of a field: `payload.index of the wrong kind`"}


def prose(markdown: str) -> str:
    """Blank what is code in a page, and join the lines of a paragraph."""
    text = re.sub(r"^( *)```.*?^ *```$", "", markdown, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(?<=\S)\n *(?=[^\s|#*\d-])", " ", re.sub(r"`[^`\n]*`", "`…`", text))


def pages() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for paragraph in prose(page.read_text(encoding="utf-8")).splitlines():
            yield page.relative_to(ROOT).as_posix(), paragraph


def commands() -> Iterator[tuple[str, str]]:
    """Yield the help of every command and of its options."""
    for name in app:
        if name.startswith("-"):
            continue
        command = app[name]
        yield f"relance {name}", " ".join(command.help.split())
        for argument in command.assemble_argument_collection():
            yield f"relance {name} {argument.name}", " ".join((argument.parameter.help or "").split())


def descriptions(schema: Any, at: str = "index.yaml") -> Iterator[tuple[str, str]]:
    """Yield what the JSON Schema of index files says of each key."""
    for key, value in schema.items() if isinstance(schema, dict) else enumerate(schema):
        if key in {"description", "title"} and isinstance(value, str):
            yield at, value
        elif isinstance(value, dict | list):
            yield from descriptions(value, f"{at} {key}")


def messages() -> Iterator[tuple[str, str]]:
    """Yield the text of every string with a blank in it that is not a docstring: messages, tables, advice, the page."""
    for file, tree in SOURCE.items():
        skipped: set[int] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                skipped.add(id(node.value))
            elif isinstance(node, ast.JoinedStr):
                skipped.update(id(part) for part in ast.walk(node) if part is not node)
        for node in ast.walk(tree):
            if id(node) in skipped:
                continue
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            else:
                continue
            if " " in text:
                yield f"{file.relative_to(ROOT).as_posix()}:{node.lineno}", " ".join(text.split())


def found(texts: Iterator[tuple[str, str]]) -> list[str]:
    """List the banned turns in some texts, each with its place and what to write."""
    return [
        f"{place}: …{text[max(0, at.start() - 50) : at.end() + 40]}… — write: {instead}"
        for place, text in texts
        for turn, instead in TURNS.items()
        for at in re.finditer(turn, text, re.IGNORECASE)
        if not any(allowed in text for allowed in ALLOWED)
    ]


@pytest.mark.parametrize("texts", [pages, commands, lambda: descriptions(json_schema()), messages],
                         ids=["pages", "help", "spec", "messages"])  # fmt: skip
def test_no_banned_turn_is_in_what_people_read(texts: Any) -> None:
    seen = list(texts())
    assert len(seen) > 100
    assert not found(iter(seen)), "\n" + "\n".join(found(iter(seen)))


def test_every_allowed_text_is_still_there() -> None:
    texts = " ".join(
        text for each in (pages(), commands(), descriptions(json_schema()), messages()) for _, text in each
    )
    assert not [allowed for allowed in ALLOWED if allowed not in texts]


# Counted nouns: a number before one of them may be 1.
NOUNS = "documents|chunks|files|tokens|requests|failures|warnings|texts|questions|vectors|pages|hits|runs|batches"


def test_a_number_is_followed_by_a_noun_that_fits_it() -> None:
    """In an f-string, `{count:,} documents` says `1 documents` some day; `counted(count, "document")` does not."""
    wrong = []
    for file, tree in SOURCE.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.JoinedStr):
                continue
            for number, then in zip(node.values, node.values[1:], strict=False):
                if (
                    isinstance(number, ast.FormattedValue)
                    and number.format_spec is not None
                    and ast.unparse(number.format_spec) == "f','"
                    and isinstance(then, ast.Constant)
                    and re.match(rf" (?:{NOUNS})\b", str(then.value))
                ):
                    wrong.append(f"{file.relative_to(ROOT).as_posix()}:{node.lineno}: {ast.unparse(node)}")
    assert not wrong, "\n" + "\n".join(wrong)
