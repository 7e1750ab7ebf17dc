"""A notebook is read cell by cell: text, code, the beginning of what it printed, no base64."""

import base64
import json

import pytest
from parsing import read, reason

from relance.parsers import Raw, Reference, installed_parsers
from relance.parsers.media_types import media_type_of
from relance.parsers.notebook import Notebook
from relance.testing.parsers import ParserContract

PICTURE = base64.b64encode(b"\x89PNG picture" * 20).decode()
CELLS = [
    {"cell_type": "markdown", "source": ["# Churn\n", "\n", "We measure \\* it. ![a](b.png) ![c](attachment:x.png)"]},
    {
        "cell_type": "code",
        "source": "# not a heading\nprint(auc)",
        "outputs": [
            {"output_type": "stream", "text": ["\x1b[31mAUC\x1b[0m 0.91\n"]},
            {"output_type": "display_data", "data": {"image/png": PICTURE, "text/plain": "<Figure size 640x480>"}},
            {"output_type": "execute_result", "data": {"text/plain": ["42"], "text/html": "<b>42</b>"}},
            {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["long"]},
        ],
    },
    {"cell_type": "code", "source": "%%bash\nls", "outputs": [{"text": "line\n" * 5_000}]},
    {"cell_type": "markdown", "source": "## Next\n"},
]
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python"},
    "authors": [{"name": "Jo"}],
}


def notebook(**changed):
    return json.dumps({"cells": CELLS, "metadata": METADATA, "nbformat": 4, **changed})


def test_cells_are_text_and_code_in_order():
    parsed = read("a.ipynb", notebook())
    assert (parsed.title, parsed.syntax) == ("Churn", "markdown")
    assert parsed.metadata == {"programming_language": "python", "kernel": "Python 3", "author": "Jo"}
    assert parsed.text.startswith(
        "# Churn\n\nWe measure * it. ![a](b.png) c\n\n```python\n# not a heading\nprint(auc)\n```\n\n```text\nAUC 0.91\n```\n\n"
        "```text\n42\n```\n\n```text\nValueError: no\n```\n\n```bash\n%%bash\nls\n```\n"
    )
    assert parsed.text.endswith("## Next\n")


def test_no_base64_and_no_long_log_is_text_and_the_cut_is_said():
    parsed = read("a.ipynb", notebook())
    assert PICTURE[:40] not in parsed.text
    assert parsed.text.count("line\n") == 40
    assert parsed.warnings == ("what 1 of its cells printed is shortened to 40 lines",)


def test_its_pictures_are_media():
    found = installed_parsers().references(Raw(notebook().encode(), "a.ipynb", media_type_of("a.ipynb")))
    assert found == [
        Reference("b.png", "a", heading_path=("Churn",)),
        Reference(f"data:image/png;base64,{PICTURE}", heading_path=("Churn",)),
    ]


def test_format_3():
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Old"]},
        {
            "cell_type": "code",
            "language": "python",
            "input": ["x"],
            "outputs": [{"output_type": "pyout", "text": ["1"]}],
        },
    ]
    text = json.dumps({"worksheets": [{"cells": cells}], "nbformat": 3})
    assert read("a.ipynb", text).text == "## Old\n\n```python\nx\n```\n\n```text\n1\n```\n"


@pytest.mark.parametrize("text", ["[1]", "{}", '{"cells', "[" * 100_000, '{"cells": [' * 3_000])
def test_what_is_no_notebook_is_a_failure(text):
    assert reason("a.ipynb", text).startswith("no notebook: ")


@pytest.mark.parametrize(
    "cells", [[None, 1], [{"cell_type": "code", "source": 5, "outputs": [{"data": 7}, 3]}], "x", [{"outputs": {}}]]
)
def test_odd_cells_are_survived(cells):
    extra = [*(cells if isinstance(cells, list) else []), CELLS[0]]
    assert "# Churn" in read("a.ipynb", notebook(cells=extra, metadata=3)).text


class TestNotebook(ParserContract):
    parser = Notebook()
    samples = (Raw(notebook().encode(), "a.ipynb", "application/x-ipynb+json"),)
    damaged = (Raw(b"{}", "b.ipynb", "application/x-ipynb+json"),)
