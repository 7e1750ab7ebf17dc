"""Names of models as other tools write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from relance.config.load import parse_spec
from relance.errors import SpecError

SPEC = "name: notes\nsources: [{type: files, root: .}]\nembedding: {model: '%s'}\n"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("ollama/nomic-embed-text", "write openai/nomic-embed-text, with base_url: http://127.0.0.1:11434/v1"),
        ("nomic-embed-text:latest", "write openai/nomic-embed-text:latest, with base_url: http://127.0.0.1:11434/v1"),
        ("cohere/embed-v4.0", "write openai/embed-v4.0, with base_url: https://api.cohere.ai/compatibility/v1"),
        (
            "sentence-transformers/all-MiniLM-L6-v2",
            "write openai/sentence-transformers/all-MiniLM-L6-v2, with base_url",
        ),
        ("huggingface/BAAI/bge-m3", "write openai/BAAI/bge-m3, with base_url"),
        ("intfloat/multilingual-e5-small", "write local/multilingual-e5-small, which runs in this process"),
        ("text-embedding-v4", "did you mean dashscope/text-embedding-v4?"),
        ("qwen/text-embedding-v4", "write dashscope/text-embedding-v4"),
        ("text-embedding-3-small", "did you mean openai/text-embedding-3-small?"),
        ("wordllama", "did you mean local/wordllama?"),
        ("unheard/of", "there are "),
    ],
)
def test_a_model_of_another_tool_says_what_to_write(tmp_path: Path, name: str, advice: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(SPEC % name, "index.yaml", tmp_path)
    ((_, field, message),) = caught.value.problems
    assert field == "embedding.model"
    assert advice in message
