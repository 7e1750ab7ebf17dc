"""The declaration itself: what every field must say about itself, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from relance.config import (
    ChunkingSpec,
    EmbeddingSpec,
    FilesSource,
    IndexSpec,
    LimitsSpec,
    RowsSpec,
    ScheduleSpec,
    StoreSpec,
    fingerprint,
)

MODELS = [IndexSpec, FilesSource, RowsSpec, ChunkingSpec, EmbeddingSpec, StoreSpec, LimitsSpec, ScheduleSpec]
FIELDS = [(model, name) for model in MODELS for name in model.model_fields]


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=[f"{model.__name__}.{name}" for model, name in FIELDS])
def test_every_field_has_a_title_a_description_and_a_default_or_is_required(model, name):
    field = model.model_fields[name]
    assert field.title
    assert field.description
    assert field.description.rstrip().endswith(".")
    assert (model, name) in {
        (IndexSpec, "name"),
        (IndexSpec, "sources"),
        (FilesSource, "type"),
        (FilesSource, "root"),
    } or (not field.is_required())


@pytest.mark.parametrize("model", [RowsSpec, ChunkingSpec, EmbeddingSpec, StoreSpec, LimitsSpec])
def test_defaults_pass_their_own_validation(model):
    assert model.model_validate(model().model_dump()) == model()


@pytest.mark.parametrize("model", MODELS)
def test_examples_of_a_field_are_valid_values(model):
    needed = {"name": "a", "sources": [{"type": "files", "root": "."}], "type": "files", "root": "."}
    for name, field in model.model_fields.items():
        for example in field.examples or []:
            base = {key: value for key, value in needed.items() if key in model.model_fields}
            model.model_validate({**base, name: example})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"include": []}, "at least 1"),
        ({"include": ["!*.md"]}, "put '*.md' under exclude"),
        ({"exclude": ["!*.md"]}, "put '*.md' under include"),
        ({"include": ["./*.md"]}, "write '*.md'"),
        ({"include": ["../x"]}, "cannot leave root"),
        ({"include": ["#x"]}, "[#]x"),
        ({"exclude": [" "]}, "empty pattern"),
        ({"ignore_files": ["a/.gitignore"]}, "name of a file"),
        ({"encoding": "klingon"}, "no text encoding"),
        ({"encoding": "base64"}, "no text encoding"),
        ({"root": " "}, "is empty"),
        ({"max_size": "1,000"}, "size such as 20MB"),
        ({"max_size": "20MB please"}, "size such as 20MB"),
        ({"rows": {"text": [""]}}, "at least 1 character"),
        ({"rows": {"text": []}}, "at least 1 item"),
    ],
)
def test_a_source_that_cannot_work_is_refused_with_the_way_out(values, words):
    with pytest.raises(ValidationError) as caught:
        FilesSource.model_validate({"type": "files", "root": ".", **values})
    assert words in str(caught.value)


@pytest.mark.parametrize("size", ["20MB", "1.5 GiB", "4096", 4096, "10kb"])
def test_sizes_are_read_with_their_unit(size):
    assert FilesSource.model_validate({"type": "files", "root": ".", "max_size": size}).max_size >= 4096


def test_one_text_column_may_be_given_without_a_list():
    assert RowsSpec.model_validate({"text": "body"}).text == ["body"]


def test_two_equal_sources_are_refused_and_two_views_of_a_folder_are_not():
    docs = {"type": "files", "root": "docs"}
    IndexSpec.model_validate({"name": "a", "sources": [docs, {**docs, "include": ["*.csv"], "rows": {}}]})
    with pytest.raises(ValidationError, match=r"sources\[0\] and sources\[2\] are the same"):
        IndexSpec.model_validate({"name": "a", "sources": [docs, {**docs, "hidden": True}, {**docs, "root": "./docs"}]})


def test_overlap_is_at_most_half_a_chunk():
    assert ChunkingSpec(max_tokens=100, overlap_tokens=50).overlap_tokens == 50
    with pytest.raises(ValidationError, match="at most half of max_tokens"):
        ChunkingSpec(max_tokens=100, overlap_tokens=51)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1"])
def test_a_service_address_is_a_web_address(url):
    with pytest.raises(ValidationError, match="must begin with http"):
        EmbeddingSpec(base_url=url)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value):
    with pytest.raises(ValidationError, match="finite"):
        EmbeddingSpec(timeout_s=value)


def test_paths_are_relative_to_the_folder_of_the_spec(tmp_path):
    spec = IndexSpec.model_validate({"name": "a", "sources": [{"type": "files", "root": "docs"}], "folder": tmp_path})
    assert spec.path(spec.sources[0].model_dump()["root"]) == tmp_path / "docs"
    assert spec.path("/elsewhere") == Path("/elsewhere")


def test_a_dump_shows_neither_keys_nor_the_folder():
    store = StoreSpec(api_key=SecretStr("hush"), storage_options={"secret": SecretStr("hush")})
    spec = IndexSpec.model_validate({"name": "a", "sources": [{"type": "files", "root": "."}], "store": store})
    assert "hush" not in f"{spec!r}{spec.model_dump()}{spec.model_dump_json()}"
    assert "folder" not in spec.model_dump()


def test_a_fingerprint_changes_with_every_setting_it_is_made_of():
    prints = [fingerprint(ChunkingSpec(max_tokens=n), "m") for n in (100, 101)] + [fingerprint(ChunkingSpec(), "n")]
    assert len(set(prints)) == 3
    assert fingerprint(ChunkingSpec(max_tokens=100), "m") == prints[0]


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ({"cron": "0 3 * *"}, "4 fields"),
        ({"cron": "61 3 * * *"}, "no cron expression"),
        ({"cron": "0 3 * * *", "every_minutes": 5}, "remove it or cron"),
        ({"every_minutes": -1}, "greater than or equal to 0"),
        ({"every_minutes": 5, "timezone": "Paris"}, "no time zone"),
        ({"timezone": "Europe/Paris"}, "say when"),
        ({}, "say when"),
    ],
)
def test_a_wrong_schedule_is_refused(schedule, says):
    with pytest.raises(ValidationError, match=says):
        ScheduleSpec.model_validate(schedule)


@pytest.mark.parametrize(
    "schedule", [{"cron": "*/5 8-18 * * 1-5", "timezone": "Asia/Shanghai"}, {"every_minutes": 0.5}]
)
def test_a_schedule_goes_by_the_clock_or_by_an_interval(schedule):
    assert ScheduleSpec.model_validate(schedule).model_dump(exclude_unset=True) == schedule
