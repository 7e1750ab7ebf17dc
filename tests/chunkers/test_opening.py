"""What nothing is split with is not opened."""

import subprocess
import sys

import pytest

SPEC = """
name: notes
sources: [{type: files, root: docs}]
embedding: {model: fake/hash, dimension: 8, tokenizer: qwen}
store: {uri: db}
"""
RUN = """
import sys
from relance import Index
print(Index("index.yaml").ingest().added, "tiktoken" in sys.modules)
"""


@pytest.mark.slow
def test_a_run_that_splits_nothing_opens_no_tokenizer(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n\nText.\n", encoding="utf-8")
    (tmp_path / "index.yaml").write_text(SPEC, encoding="utf-8")
    command = [sys.executable, "-c", RUN]
    runs = [subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True) for _ in range(2)]
    assert [run.stdout.split() for run in runs] == [["1", "True"], ["0", "False"]]
