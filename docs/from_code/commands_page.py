"""The page of the command line, as the program itself describes it."""

from __future__ import annotations

import re

from relance.cli.main import app

HEAD = """# Command line

This page comes from the program; `relance COMMAND --help` shows the same. SPEC is an index file, or the folder
that holds an `index.yaml`; without it, this folder. Commands that print a result take `--json` ([keys](../json.md)),
and all end with the same [exit codes](../exit-codes.md).

"""


def page() -> str:
    """Write a list of the commands in their groups, then a section for each, with its example and its options."""
    described = app.generate_docs()
    start = re.search(r"^\*\*\w+\*\*:$", described, flags=re.MULTILINE)
    assert start is not None, "cyclopts lists no groups of commands"
    listed, *sections = re.split(r"^## relance (?=\w+$)", described[start.start() :], flags=re.MULTILINE)
    groups = {
        name: group
        for group, names in re.findall(r"^\*\*(\w+)\*\*:\n(.*?)(?=^\*\*|\Z)", listed, re.MULTILINE | re.DOTALL)
        for name in re.findall(r"^\* \[`(\w+)`\]", names, re.MULTILINE)
    }
    text, group = HEAD + listed, ""
    for section in sections:
        name = section.partition("\n")[0]
        if groups[name] != group:
            group = groups[name]
            text += f"## {group}\n\n"
        usage, end, rest = section.partition("\n```\n\n")
        example = str(app[name].help_epilogue).removeprefix("Example: ")
        text += f"### relance {usage}{end}Example: `{example}`\n\n{rest}"
    return text
