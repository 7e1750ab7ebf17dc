"""The page of the command line, as the program itself describes it."""

from __future__ import annotations

import re

from relance.cli.main import app

HEAD = """# Command line

This page is made of the program. `relance COMMAND --help` shows the same. The exit code is 0 when it is done, 1 when it
failed or was stopped, 2 for a wrong usage or a wrong spec, and 3 when a run finished with failures.

"""


def page() -> str:
    """Write a section for each command, with its options."""
    described = app.generate_docs()
    start = re.search(r"^\*\*Commands\*\*|^\*\*\w.*\*\*:$", described, flags=re.MULTILINE)
    assert start is not None, "cyclopts lists no commands"
    # A list needs a blank line before it, and a name in capitals with dots is code.
    return HEAD + described[start.start() :]
