"""A spec written as YAML loads as the same spec, and any other text is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from index_files import SCHEMA
from pydantic import SecretStr

from relance.config import IndexSpec
from relance.config.load import parse_spec
from relance.errors import SpecError

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).filter(lambda text: "${" not in text)
column = words.filter(bool)
pattern = st.from_regex(r"[a-z*?é手][a-z0-9*? é手]{0,8}(/[a-z*]{1,3})?", fullmatch=True)
path = st.from_regex(r"(\.|\.\./)?[a-zé手 ]{0,5}[a-z](/[a-z0-9]{1,3}){0,2}", fullmatch=True)
count = st.integers(0, 10_000)
no_brace = words.filter(lambda text: not {"{", "}"} & set(text))
template = no_brace | st.tuples(no_brace, no_brace.filter(str.strip)).map(lambda parts: f"{parts[0]}{{{parts[1]}}}")
rows = st.fixed_dictionaries(
    {},
    optional={
        "id": st.none() | words,
        "text": st.lists(template.filter(bool), min_size=1),
        "title": template,
        "metadata": st.lists(column),
        "labels": st.booleans(),
        "path": words,
        "sheet": words,
        "header": count,
    },
)
source = st.fixed_dictionaries(
    {"type": st.just("files"), "root": path},
    optional={
        "include": st.lists(pattern, min_size=1, max_size=3),
        "exclude": st.lists(pattern, max_size=3),
        "ignore_files": st.lists(column.filter(lambda text: "/" not in text), max_size=2),
        "hidden": st.booleans(),
        "follow_symlinks": st.booleans(),
        "max_size": st.integers(0, 1 << 50) | st.sampled_from(["20MB", "1.5 GiB"]),
        "encoding": st.sampled_from(["", "gb18030", "utf-8"]),
        "rows": st.none() | rows,
    },
)
indexes = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[a-z0-9]([_-]?[a-z0-9]){0,30}[_-]?", fullmatch=True),
        "sources": st.lists(source, min_size=1, max_size=3, unique_by=lambda part: Path(part["root"])),
    },
    optional={
        "description": words,
        "chunking": st.fixed_dictionaries(
            {},
            optional={
                "strategy": st.sampled_from(["auto", "markdown", "text", "code", "whole"]),
                "max_tokens": st.integers(16, 100_000),
                "overlap_tokens": st.integers(0, 8),
                "context": st.lists(st.sampled_from(["title", "headings"]), max_size=2),
            },
        ),
        "embedding": st.fixed_dictionaries(
            {},
            optional={
                "model": st.sampled_from(["local/wordllama", "openai/a:b", "openai/手"]),
                "dimension": st.integers(0, 8192),
                "base_url": words.map(lambda text: f"http://{text}"),
                "api_key": words,
                "batch_tokens": count,
                "timeout_s": st.floats(1e-3, 1e9),
                "price_per_million_tokens": st.none() | st.floats(0, 1e9),
            },
        ),
        "store": st.fixed_dictionaries(
            {}, optional={"uri": column, "storage_options": st.dictionaries(words, words, max_size=3)}
        ),
        "limits": st.fixed_dictionaries({}, optional={"max_cost_usd": st.none() | st.floats(0, 1e9)}),
    },
)


def reveal(value):
    """Undo SecretStr and Path, which YAML cannot write."""
    if isinstance(value, dict):
        return {key: reveal(child) for key, child in value.items()}
    if isinstance(value, list):
        return [reveal(child) for child in value]
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return (
        int(value)
        if type(value) is not bool and isinstance(value, int)
        else str(value)
        if isinstance(value, Path)
        else value
    )


@pytest.mark.long
@settings(deadline=None, max_examples=60)  # PyYAML in Python is slow
@given(indexes, st.booleans(), st.booleans())
def test_a_spec_written_as_yaml_loads_as_the_same_spec(values, unicode, flow):
    spec = IndexSpec.model_validate({**values, "folder": Path("/base")})
    text = yaml.safe_dump(reveal(spec.model_dump()), allow_unicode=unicode, default_flow_style=flow)
    assert parse_spec(text, "index.yaml", Path("/base")) == spec
    SCHEMA.validate(yaml.safe_load(text))


@settings(deadline=None)
@given(st.text())
def test_any_text_loads_or_is_refused_in_words(text):
    try:
        parse_spec(text, "index.yaml", Path())
    except SpecError as error:
        found = error.problems
        assert found
