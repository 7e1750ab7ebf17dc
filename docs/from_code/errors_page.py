"""The page of errors: every class, what follows from it, and every sentence it is raised with."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import relance
from relance import errors

HEAD = """# Errors

Everything relance raises on purpose is a `relance.RelanceError`; its text is one sentence for the user, without
passwords. On the command line it is printed to stderr, without a traceback. This page is made of the code: the classes,
and below each the sentences it is raised with, where `…` stands for names and numbers.
[Troubleshooting](../troubleshooting.md) says more about the frequent ones.

"""
SOURCE = Path(relance.__file__).parent
# What a class adds to its arguments, of which only the first is a sentence then.
FRAMES = {
    "MissingExtraError": "{} needs an extra: pip install 'relance[…]'",
    "StoreError": "the store failed while {}: …",
}
_BRANCH = re.compile(r"^[│├└─ ]+(\w+Error)\s+(.+)$", re.MULTILINE)


def page() -> str:
    """Write a section for each public class, in the order of the tree."""
    advice = dict(_BRANCH.findall(errors.__doc__ or ""))
    found = messages()
    text = HEAD + "```text\n" + (errors.__doc__ or "").partition("\n\n")[2].strip() + "\n```\n"
    for name in ["RelanceError", *advice]:
        kind = getattr(errors, name)
        text += f"\n## {name}\n\n{_plain(inspect.getdoc(kind) or '')}\n\n"
        if not (follows := advice.get(name, "…")).startswith("…"):  # of the others the tree says how they differ
            text += f"{follows[:1].upper()}{follows[1:]}. "
        text += f"Exit code {exit_code(kind)}.\n\n"
        text += "".join(f"- `{each}`\n" for each in sorted(found[name], key=str.casefold))
    return text


def exit_code(kind: type[BaseException]) -> int:
    """Say how a command ends that meets it, as `relance.cli.main` has it."""
    from relance.cli.options import FAILED, USAGE

    return USAGE if issubclass(kind, (errors.ConfigurationError, errors.InputError)) else FAILED


def messages() -> dict[str, set[str]]:
    """Collect what is raised in the source, by the public class it belongs to."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in SOURCE.rglob("*.py")]
    bases = {
        node.name: [base.id for base in node.bases if isinstance(base, ast.Name)]
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    found: dict[str, set[str]] = defaultdict(set)
    for tree in trees:
        for name, text in _raised(tree):
            if (public := _public(name, bases)) and re.search(r"\w", text.replace("…", "")):
                found[public].add(text)
    return found


def _public(name: str, bases: dict[str, list[str]]) -> str:
    if name in errors.__all__:
        return name
    return next((found for base in bases.get(name, []) if (found := _public(base, bases))), "")


def _raised(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the class and the sentence of each raise; a function inside another is part of that."""
    classes = [node.body for node in tree.body if isinstance(node, ast.ClassDef)]
    for function in [*tree.body, *(node for body in classes for node in body)]:
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        nodes = list(ast.walk(function))
        told = [(node.lineno, node.targets[0].id, text) for node in nodes if isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Name) and (text := _sentence(node.value))]  # fmt: skip
        for node in nodes:
            if not (
                isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
            ):
                continue
            framed = node.exc.func.id in FRAMES
            for argument in node.exc.args[:1] if framed else node.exc.args:
                texts = [text for line, name, text in told
                         if isinstance(argument, ast.Name) and name == argument.id and line < node.lineno]  # fmt: skip
                if text := _sentence(argument) or "".join(texts[-1:]):
                    yield node.exc.func.id, FRAMES.get(node.exc.func.id, "{}").replace("{}", text)


def _sentence(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return _code(text)
        case ast.JoinedStr(values=parts):
            return _code("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _sentence(left) + _sentence(right)
    return ""


def _code(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")


def _plain(text: str) -> str:
    return " ".join(text.partition("\n\nAttributes")[0].split())
