"""The best passage of a hit on the terminal."""

from __future__ import annotations

from typing import Any

from relance.cli.passage import passage

CODE = "import os\n\ndef ferry(boat):\n\tif boat:\n\t\treturn boat\n\treturn None\n\n\ndef other():\n    pass\n"


def hit(text: str, part: str, **values: Any) -> dict[str, Any]:
    start = text.index(part)
    return {"text": text, "snippet": [start, start + len(part)], "highlights": [], "lead": "", "line": None,
            "media_type": "text/markdown"} | values  # fmt: skip


def test_code_keeps_its_lines_and_has_their_numbers_in_the_file() -> None:
    found = hit(CODE, "ferry(boat):\n\tif boat:\n\t\treturn", media_type="text/x-python", line=41,
                highlights=[[15, 20]])  # fmt: skip
    shown = passage(found, indent=3)
    assert shown.plain.split("\n") == [
        "      43 │ def ferry(boat):",
        "      44 │     if boat:",
        "      45 │         return boat",
    ]
    assert "ferry" in [shown.plain[span.start : span.end] for span in shown.spans if span.style == "bold"]


def test_a_long_passage_of_code_ends_with_a_mark() -> None:
    text = "\n".join(f"x{n} = {n}" for n in range(30))
    shown = passage(hit(text, text, media_type="text/x-python", line=1)).plain.split("\n")
    assert (len(shown), shown[0], shown[-1]) == (13, "    1 │ x0 = 0", "      │ …")


def test_rows_of_a_table_stand_below_each_other_under_their_header() -> None:
    shown = passage(hit("| a | 1 |\n| b | 2 |", "| a | 1 |\n| b | 2 |", lead="| name | value |\n|---|---|")).plain
    assert shown.split("\n") == [
        "      │ | name | value |",
        "      │ |---|---|",
        "      │ | a | 1 |",
        "      │ | b | 2 |",
    ]


def test_prose_stands_on_one_line() -> None:
    assert (
        passage(hit("A gauge\ntells how  high.\nMore.", "A gauge\ntells how  high.")).plain
        == "A gauge tells how high. …"
    )
