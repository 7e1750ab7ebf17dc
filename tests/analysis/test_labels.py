"""Files of labels: three forms, known labels by line, and what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from relance.analysis.calibration import read_labelled
from relance.analysis.labels import Label, read_labels
from relance.errors import ConfigurationError


def test_labels_are_read_from_all_three_forms(tmp_path: Path) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text("[a, b]", encoding="utf-8")
    assert read_labels(path) == [Label("a"), Label("b")]
    path.write_text("a:\nb: what b is\nc: {description: d, examples: [e], uris: [f]}\n", encoding="utf-8")
    assert read_labels(path) == [Label("a"), Label("b", "what b is"), Label("c", "d", ("e",), ("f",))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no list of labels"),
        ("[1, 2]", "is no list of labels"),
        ("1: a", "put it into quotes"),
        ("a: [b]", "expected a description"),
        ("a: {exmples: [b]}", "expected a description"),
        ("a: {examples: b}", "examples is no list of texts"),
        ("a: {uris: ['']}", "uris is no list of texts"),
        ("a: [", "labels.yaml:1: is no YAML"),
    ],
)
def test_a_wrong_file_of_labels_is_told(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=words):
        read_labels(path)


def test_known_labels_are_read_by_line(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    path.write_text("uri,label\na,b\nc,d\n", encoding="utf-8")
    assert read_labelled(path) == {"a": "b", "c": "d"}
    path.write_text("uri,label\na,b\nc,\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"known.csv:3: is no labelled document"):
        read_labelled(path)
    path.write_text("uri,label\na,b\nc,d\na,b\na,d\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"known.csv:5: a is 'd', and 'b' further up; keep one"):
        read_labelled(path)
