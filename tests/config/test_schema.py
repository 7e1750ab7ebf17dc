"""The schema, the template and the example: editors complete from the same rules that the loader checks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from index_files import GOOD, SCHEMA, problems

from relance.config.load import json_schema, load_spec, parse_spec, template

HANDBOOK = Path(__file__).parents[2] / "examples" / "handbook"


def test_the_schema_is_valid_says_everything_and_hides_the_folder():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")
    assert "folder" not in schema["properties"]
    parts = [schema, *schema["$defs"].values()]
    assert len(parts) == 28
    for part in parts:
        assert part["title"]
        assert part["description"]
        assert part["additionalProperties"] is False
        for name, field in part["properties"].items():
            assert field["description"], name
            assert "\n" not in field["description"]
            section = any("$ref" in each for each in (field, *field.get("anyOf", ())))
            assert section or "default" in field or name in part["required"]
            assert "env" not in field


@pytest.mark.parametrize(
    "change",
    [
        {"chunk": {}},
        {"folder": "/x"},
        {"chunking": {"max_token": 1}},
        {"sources": [{"type": "files", "root": ".", "rows": {"ids": "x"}}]},
        {"sources": [{"type": "files", "root": ".", "max_size": "1,000"}]},
        {"name": 2024},
    ],
)
def test_editors_and_the_loader_refuse_the_same_things(change):
    good = yaml.safe_load(GOOD)
    SCHEMA.validate(good)
    with pytest.raises(jsonschema.ValidationError):
        SCHEMA.validate({**good, **change})
    problems(yaml.safe_dump({**good, **change}))


@pytest.mark.parametrize("name", ["handbook", "2024", "on", "null", "1e3", "0"])
def test_the_template_loads_under_any_name_and_fits_the_schema(name):
    text = template(name)
    assert text.splitlines()[0] == "# yaml-language-server: $schema=./index.schema.json"
    assert parse_spec(text, "index.yaml", Path()).name == name
    SCHEMA.validate(yaml.safe_load(text))


def test_every_option_the_template_comments_out_is_true_and_is_the_default():
    text = template("a")
    options = re.findall(r"(?m)^ *#(\w+): \S", text)
    assert len(options) >= 12
    uncommented = re.sub(r"(?m)^( *)#(?=\w)", r"\1", text)
    assert "#" not in re.sub(r"(?m)^ *# .*$", "", uncommented)
    assert parse_spec(uncommented, "index.yaml", Path()) == parse_spec(text, "index.yaml", Path())
    assert set(options) <= set(re.findall(r"(?m)^ *(\w+):", uncommented))
    assert parse_spec(text, "i", Path()) == parse_spec(GOOD.replace("root: .", "root: ./docs"), "i", Path())


def test_the_example_loads_fits_the_schema_and_ships_it():
    spec = load_spec(HANDBOOK)
    assert spec.name == "handbook"
    assert [spec.path(source.model_dump()["root"]).is_dir() for source in spec.sources] == [True, True]
    document = yaml.safe_load((HANDBOOK / "index.yaml").read_text(encoding="utf-8"))
    SCHEMA.validate(document)
    assert json.loads((HANDBOOK / "index.schema.json").read_text(encoding="utf-8")) == json_schema()


def test_each_question_of_the_example_names_a_document_that_is_there():
    questions = yaml.safe_load((HANDBOOK / "questions.yaml").read_text(encoding="utf-8"))
    assert len(questions) >= 15
    assert len({entry["question"] for entry in questions}) == len(questions)
    assert sum(entry["language"] == "zh" for entry in questions) >= 4
    for entry in questions:
        file, _, row = entry["uri"].partition("#")
        text = (HANDBOOK / file).read_bytes()
        assert not row or f"\n{row},".encode() in text
    assert any("#" in entry["uri"] for entry in questions)
