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
from relance.embedding.providers import refusals
from relance.embedding.providers.dashscope import errors as dashscope

HEAD = """# Errors

Everything relance raises on purpose is a `relance.RelanceError`; its text is one sentence for the user, without
passwords. On the command line it is printed to stderr, without a traceback. This page is generated from the code: the
classes, and below each the sentences it is raised with, where `…` stands for names, numbers and the words of others.
[Troubleshooting](../troubleshooting.md) says more about the frequent ones.

"""
SOURCE = Path(relance.__file__).parent
# What a class adds to its arguments, of which only the first is a sentence then.
FRAMES = {
    "MissingExtraError": "{} needs an extra: …",
    "SpecError": "FILE:LINE: FIELD: {}",
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
    """Collect what errors are made with in the source, by the public class they belong to."""
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in SOURCE.rglob("*.py")}
    bases = {
        node.name: [base.id for base in node.bases if isinstance(base, ast.Name)]
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    found: dict[str, set[str]] = defaultdict(set)
    for file, tree in trees.items():
        made = [*_made(tree), *_own(tree)]
        if file.is_relative_to(SOURCE / "config"):
            made += [("SpecError", FRAMES["SpecError"].replace("{}", text)) for text in _of_fields(tree) if " " in text]
        for name, text in made:
            if (public := _public(name, bases)) and re.search(r"\w", text.replace("…", "")):
                found[public].add(text)
    for name, text in _of_services():
        found[name].add(text)
    found["GoneDocumentError"] |= {f"…: {text}" for text in found["GoneError"]}  # media/outcomes.py makes it of that
    return found


def _public(name: str, bases: dict[str, list[str]]) -> str:
    if name in errors.__all__:
        return name
    return next((found for base in bases.get(name, []) if (found := _public(base, bases))), "")


def _made(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the class and the sentence of each error that is made; a function inside another is part of that."""
    classes = [node.body for node in tree.body if isinstance(node, ast.ClassDef)]
    for function in [*tree.body, *(node for body in classes for node in body)]:
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        nodes = list(ast.walk(function))
        told = list(_told(nodes))
        for node in nodes:
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("Error")):
                continue
            for argument in node.args[:1] if node.func.id in FRAMES else node.args:
                texts = [text for line, name, text in told
                         if isinstance(argument, ast.Name) and name == argument.id and line < node.lineno]  # fmt: skip
                if text := _sentence(argument) or "".join(texts[-1:]):
                    yield node.func.id, FRAMES.get(node.func.id, "{}").replace("{}", text)


def _told(nodes: list[ast.AST]) -> Iterator[tuple[int, str, str]]:
    """Yield line, name and text of each text that is given a name."""
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and (text := _sentence(node.value)):
            yield node.lineno, node.targets[0].id, text


def _own(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield what the classes of errors say themselves."""
    for kind in (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.endswith("Error")):
        for node in ast.walk(kind):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__":
                yield from ((kind.name, text) for argument in node.args if (text := _sentence(argument)))


def _of_fields(tree: ast.Module) -> Iterator[str]:
    """Yield what is said of a field of an index file: by pydantic's validators, and in lists of problems."""
    nodes = list(ast.walk(tree))
    told = {name: text for _, name, text in _told(nodes) if name in {"msg", "message"}}
    for node in nodes:
        match node:
            case ast.Call(func=ast.Name(id="ValueError"), args=[argument]):
                yield _sentence(argument)
            case ast.Tuple(elts=[_, _, argument]) if not isinstance(argument, ast.Constant):
                yield _sentence(argument)
            case ast.Tuple(elts=[_, ast.Constant(value=str()), argument]):
                yield _sentence(argument)
    yield from told.values()


def _of_services() -> Iterator[tuple[str, str]]:
    """Yield what is said where a service refuses: its status, code and words, after advice where we know more."""
    for kind in refusals.KINDS.values():
        yield kind.__name__, "… at … said (…): …"
    for row in dashscope.ERRORS:
        if row.advice:
            advice = re.sub(r"\{\w+\}", "…", row.advice)
            yield refusals.KINDS[row.kind].__name__, _code(f"{advice} … at … said (…): …")


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
