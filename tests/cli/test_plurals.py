"""What commands print of one of each: no `1 documents`."""

from __future__ import annotations

import re
from pathlib import Path

from command_line import Run


def test_one_of_each_is_singular(run: Run, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("Hello", encoding="utf-8")
    (tmp_path / "docs/bad.html").write_bytes(b"")
    (tmp_path / "docs/bad.pdf").write_bytes(b"%PDF-1.7 and nothing else")
    (tmp_path / "index.yaml").write_text(
        "name: one\nsources: [{type: files, root: docs}]\nembedding: {model: fake/hash}\n", encoding="utf-8"
    )
    (tmp_path / "golden.yaml").write_text("- {query: hello, documents: [docs/a.md]}\n", encoding="utf-8")
    printed = ""
    for words in ("plan", "ingest --direct", "search hello", "status", "failures", "runs", "doctor", "cache", "maintain",
                  "evaluate --dataset golden.yaml"):  # fmt: skip
        ran = run(*words.split())
        assert ran.code in {0, 3}, (words, ran)
        printed += ran.out + ran.err
    assert "1 failure" in printed
    assert "1 request" in printed
    assert "1 question" in printed
    assert not re.findall(r"(?<![\d.,])1 (?:more )?\w*[a-z]{2}s\b", printed), printed
