"""Index files: which file is read, and what a wrong one is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest
from index_files import GOOD, problems
from pydantic import BaseModel

from relance.config.load import _position, load_spec, parse_spec
from relance.errors import SpecError

WRONG = [
    # text, line, field, words of the message
    ("sources: [{type: files, root: .}]", None, "name", "is required"),
    ("name: a", None, "sources", "is required: where documents come from"),
    ("name: a\nsources: []", 2, "sources", "at least one entry"),
    ("name: a\nsources:\n  - type: files\n", 3, "sources[0].root", "is required: folder to read"),
    ("name: a\nsources:\n  - root: .\n", 3, "sources[0].type", "is required"),
    (GOOD + "  - type: file\n    root: x\n", 5, "sources[1].type", "got 'file'; did you mean 'files'?"),
    (GOOD + "  -\n", 5, "sources[1]", "has no value"),
    (GOOD + "  - type: files\n    root: ./\n", 2, "sources", "sources[0] and sources[1] are the same"),
    (GOOD + "chunk:\n  max_tokens: 9\n", 5, "chunk", "unknown key 'chunk'; did you mean 'chunking'?"),
    (GOOD + "max_tokens: 100\n", 5, "max_tokens", "belongs under 'chunking'"),
    (GOOD + "store:\n  sources: []\n", 6, "store.sources", "belongs at the top"),
    (GOOD + "store:\n  zzz: 1\n", 6, "store.zzz", "the keys here are uri, storage_options"),
    (GOOD + "store:\n  retentionDays: 1\n", 6, "store.retentionDays", "did you mean 'retention_days'?"),
    (GOOD + "folder: /x\n", 5, "folder", "unknown key 'folder'"),
    (GOOD + "on: 1\n", 5, "on", "unknown key 'on'"),
    (GOOD + "2024: 1\n", 5, "2024", "unknown key '2024'"),
    (GOOD + "? [a]\n: 1\n", 5, "", "a key is a single word"),
    (GOOD + "chunking:\n  max_tokens: many\n", 6, "chunking.max_tokens", "expected a whole number, got 'many'"),
    (GOOD + "chunking:\n  max_tokens: 2.5\n", 6, "chunking.max_tokens", "expected a whole number, got the number 2.5"),
    (GOOD + "chunking:\n  max_tokens: yes\n", 6, "chunking.max_tokens", "expected a number, got yes"),
    (GOOD + "chunking:\n  max_tokens: 3\n", 6, "chunking.max_tokens", "must be at least 16, got the number 3"),
    (
        GOOD + "chunking:\n\n  strategy: markdwn\n",
        7,
        "chunking.strategy",
        "whole, got 'markdwn'; did you mean 'markdown'",
    ),
    (GOOD + "chunking:\n  context: [title, heading]\n", 6, "chunking.context[1]", "did you mean 'headings'?"),
    (
        GOOD + "chunking:\n  context:\n    - title\n    - 3\n",
        8,
        "chunking.context[1]",
        "expected one of title, headings",
    ),
    (GOOD + "chunking:\n  overlap_tokens: 200\n", 6, "chunking.overlap_tokens", "at most half of max_tokens (256)"),
    (GOOD + "chunking: 3\n", 5, "chunking", "expected a section"),
    (GOOD + "chunking: null\n", 5, "chunking", "expected a section (lines of 'key: value', indented), got null"),
    (
        GOOD + "embedding:\n  model: wordllama\n",
        6,
        "embedding.model",
        "there is no model 'wordllama'; did you mean local/wordllama?",
    ),
    (GOOD + "embedding:\n  timeout_s: soon\n", 6, "embedding.timeout_s", "expected a number, got 'soon'"),
    (GOOD + "embedding:\n  timeout_s: 0\n", 6, "embedding.timeout_s", "must be more than 0, got the number 0"),
    (GOOD + "embedding:\n  timeout_s: .inf\n", 6, "embedding.timeout_s", "expected a number, got the number .inf"),
    (GOOD + "embedding:\n  dimension:\n", 6, "embedding.dimension", "has no value: remove the line"),
    (GOOD + "    rows:\n", 5, "sources[0].rows", "({} for the defaults)"),
    (
        "name: n\nsources: docs\n",
        2,
        "sources",
        "got 'docs'; each source begins with a dash, such as - {type: files, root: ",
    ),
    (GOOD + "    include: '*.md'\n", 5, "sources[0].include", "expected a list, got '*.md'; write [\"*.md\"]"),
    (GOOD + "    hidden: maybe\n", 5, "sources[0].hidden", "expected true or false, got 'maybe'"),
    (GOOD + "    max_size: big\n", 5, "sources[0].max_size", "expected a size such as 20MB, got 'big'"),
    (GOOD + "    max_size: 1 zb\n", 5, "sources[0].max_size", "expected a size such as 20MB, got '1 zb'"),
    (GOOD + "    rows: {text: [a, '']}\n", 5, "sources[0].rows.text[1]", "must not be empty"),
    (GOOD + "    encoding: gb1803\n", 5, "sources[0].encoding", "no text encoding"),
    # YAML's traps
    ("name: 2024\n" + GOOD[8:], 1, "name", "expected text, got the number 2024; put it in quotes: '2024'"),
    ("name: 2024-01-31\n" + GOOD[8:], 1, "name", "got the date 2024-01-31; put it in quotes: '2024-01-31'"),
    (
        "name: on\n" + GOOD[8:],
        1,
        "name",
        "YAML reads a bare on, off, yes, no, true or false so); put it in quotes: 'on'",
    ),
    ("name: 2024-13-45\n" + GOOD[8:].replace("root", "rot"), 3, "sources[0].root", "is required"),
    ("name: My Index\n" + GOOD[8:], 1, "name", "'my-index' would do"),
    (GOOD + "name: b\n", 5, "name", "the key 'name' is here twice, first on line 1"),
    (GOOD + "store:\n  uri: x\n  uri: y\n", 7, "store.uri", "twice, first on line 6"),
    (GOOD + "description: !secret x\n", 5, "description", "a value that begins with !"),
    (GOOD + "store:\n\turi: x\n", 6, "", "column 1: a tab where YAML wants spaces"),
    (GOOD + "store:\n  uri: x\n   api_key: y\n", 7, "", "column 11: a colon that does not fit here"),
    (GOOD + "store:\n  uri: x\n api_key: y\n", 7, "", "column 2: the indentation does not fit"),
    (GOOD + "description: 'a\n", 5, "", "column 14: a quote that is opened here"),
    (GOOD + "description: [a\n", 5, "", "column 14: a [ or {"),
    (GOOD + "description: a: b\n", 5, "", "column 15: a colon that does not fit here"),
    (GOOD + "description\nstore: {}\n", 5, "", "expected 'key: value'"),
    (GOOD + "description: @x\n", 5, "", "has to be in quotes"),
    (GOOD + "description: *x\n", 5, "", "refers to an anchor"),
    (GOOD + 'description: "C:\\quux"\n', 5, "", "use single quotes"),
    (GOOD + "---\nname: b\n", 5, "", "second YAML document"),
    (GOOD + "description: &a [*a]\n", 5, "description[0]", "alias (*) to itself"),
    (GOOD + "description: a\0b\n", 5, "", "control character (U+0000)"),
    ("a: " + "[" * 1500, None, "", "nested too deeply"),
    ("name：a\nsources: []\n", 2, "", "full-width"),
    ("name：a\n", 1, "", "full-width"),
    ("", 1, "", "is empty"),
    ("# nothing\n", 1, "", "is empty"),
    ("- a\n", 1, "", "begins with a list"),
    ("words\n", 1, "", "found only text"),
    # variables
    (GOOD + "description: ${HOME}\n", 5, "description", "secrets and paths only"),
    (GOOD + "    include: ['${X:-a}']\n", 5, "sources[0].include[0]", "secrets and paths only"),
    (GOOD + "store:\n  uri: ${RELANCE_UNSET}/x\n", 6, "store.uri", "the environment variable RELANCE_UNSET is not set"),
    (GOOD + "store:\n  uri: '${HOME'\n", 6, "store.uri", "a variable is written ${NAME}"),
    (GOOD + "store:\n  uri: ${A-B}\n", 6, "store.uri", "a variable is written ${NAME}"),
    (
        GOOD + "store:\n  storage_options:\n    region: x\n    key: ${RELANCE_UNSET}\n",
        8,
        "store.storage_options.key",
        "RELANCE_UNSET is not set",
    ),
]


@pytest.mark.parametrize(("text", "line", "field", "words"), WRONG, ids=[f"{n}-{w[2]}" for n, w in enumerate(WRONG)])
def test_a_wrong_file_is_answered_with_line_field_and_reason(text, line, field, words):
    assert [(found[0], found[1]) for found in problems(text) if words in found[2]] == [(line, field)], problems(text)


def test_all_problems_come_at_once_in_the_order_of_the_file():
    store = "store:\n  uri: ${RELANCE_UNSET}\n  uri: b\n"
    text = f"name: 7\nsources:\n  - type: files\n{store}chunking:\n  max_tokens: x\nzzz: 1\n"
    found = problems(text)
    assert [line for line, _, _ in found] == [1, 3, 5, 6, 8, 9]
    with pytest.raises(SpecError, match=r"(?m)^my\.yaml:8: chunking\.max_tokens: expected a whole number, got 'x'$"):
        parse_spec(text, "my.yaml", Path())


@pytest.mark.parametrize(
    "lines",
    [
        "embedding: {api_key: 70077007}",
        "embedding: {api_key: [70077007]}",
        "embedding: {api_key: 7007-07-07}",
        "embedding: {base_url: '70077007'}",
        "embedding: 70077007x",
        "embedding: {api_kee: '70077007'}",
        "embedding: {api_key: '${X_70077007'}",
        "embedding: {api_key: *70077007}",
        "embedding: {api_key: !70077007 }",
        "embedding: {api_key: &70077007 }}",
        "embedding: {api_key: '70077007, dimension: 3}",
        "embedding: {api_key: 70077007: 3}",
        "store: {storage_options: {key: 70077007}}",
        "store: {storage_options: {key: {a: '70077007'}}}",
        "store: {storage_options: '70077007'}",
        "store: {storage_options: ['70077007']}",
        "store: {uri: 70077007}",
        "store: {api_key: '70077007', api_key: '70077007'}",
        "store: {uri: '${RELANCE_TEST_SECRET}', retention_days: 0}",
        "embedding: {base_url: '${RELANCE_TEST_SECRET}'}",
    ],
)
def test_no_error_holds_the_value_of_a_secret(lines, monkeypatch):
    monkeypatch.setenv("RELANCE_TEST_SECRET", "70077007")
    # What stands where a section belongs is shown, unless it is a section of secrets.
    said = "\n".join(message for _, _, message in problems(GOOD + lines))
    assert said
    assert ("70077007" in said) == (lines == "embedding: 70077007x")


def test_variables_are_filled_in_where_secrets_and_paths_are(monkeypatch):
    monkeypatch.setenv("RELANCE_A", "aaa")
    monkeypatch.setenv("RELANCE_EMPTY", "")
    spec = parse_spec(
        "name: a\n"
        "sources: [{type: files, root: '${RELANCE_A}/x'}]\n"
        "embedding: {api_key: '${RELANCE_A}-${RELANCE_A}', base_url: '${RELANCE_UNSET:-http://h}/v1'}\n"
        "store:\n"
        "  uri: ${RELANCE_EMPTY:-./d}\n"
        "  api_key: ${RELANCE_EMPTY}\n"
        "  storage_options: {k: '${RELANCE_A}', d: $5}\n",
        "index.yaml",
        Path("/base"),
    )
    assert spec.sources[0].model_dump()["root"] == Path("aaa/x")
    assert spec.embedding.api_key.get_secret_value() == "aaa-aaa"
    assert spec.embedding.base_url == "http://h/v1"
    assert spec.store.uri == "./d"
    assert spec.store.api_key.get_secret_value() == ""
    assert {key: value.get_secret_value() for key, value in spec.store.storage_options.items()} == {
        "k": "aaa",
        "d": "$5",
    }


def test_an_empty_variable_does_not_make_the_spec_folder_a_source(monkeypatch):
    monkeypatch.setenv("RELANCE_EMPTY", "")
    [(line, field, message)] = problems("name: a\nsources:\n  - type: files\n    root: ${RELANCE_EMPTY}\n")
    assert (line, field) == (4, "sources[0].root")
    assert "is empty" in message


def test_a_section_left_empty_means_its_defaults():
    full = parse_spec(GOOD + "chunking:\nembedding:\nstore:\n  storage_options:\nlimits:\n", "i", Path())
    assert full == parse_spec(GOOD, "i", Path())


def test_anchors_and_merge_keys_work_and_errors_in_them_keep_their_line():
    text = """\
name: a
sources:
  - &docs
    type: files
    root: a
    include: ["*.md"]
  - <<: *docs
    root: b
  - <<: *docs
    root: c
    hidden: HIDDEN
"""
    spec = parse_spec(text.replace("HIDDEN", "true"), "i", Path())
    assert [(str(s["root"]), s["include"], s["hidden"]) for s in map(BaseModel.model_dump, spec.sources)] == [
        ("a", ["*.md"], False),
        ("b", ["*.md"], False),
        ("c", ["*.md"], True),
    ]
    assert [(line, field) for line, field, _ in problems(text.replace("HIDDEN", "x"))] == [(11, "sources[2].hidden")]


@pytest.mark.long
def test_aliases_cannot_blow_a_file_up():
    text = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    assert "becomes huge" in problems(text)[0][2]


def test_the_branch_of_a_union_is_left_out_of_the_field_name():
    data = {"sources": [{"root": 1, "rows": {"text": ["a", 2]}}]}
    assert _position(("sources", 0, "files", "root"), data, missing=False) == ("sources", 0, "root")
    assert _position(("sources", 0, "files", "type"), data, missing=True) == ("sources", 0, "type")
    where = ("sources", 0, "files", "rows", "RowsSpec", "text", "list[str]", 1)
    assert _position(where, data, missing=False) == ("sources", 0, "rows", "text", 1)


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["index.yaml", "index.yml"])
def test_a_folder_stands_for_the_index_file_in_it(tmp_path, name):
    (tmp_path / name).write_text(GOOD, encoding="utf-8")
    assert load_spec(tmp_path) == load_spec(str(tmp_path / name))
    assert load_spec(tmp_path).folder == tmp_path


def test_the_folder_of_a_spec_survives_a_change_of_directory(tmp_path, monkeypatch):
    (tmp_path / "index.yaml").write_text(GOOD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    spec = load_spec("index.yaml")
    monkeypatch.chdir("/")
    assert spec.path("docs") == tmp_path / "docs"


def test_a_missing_file_is_answered_with_what_is_there(tmp_path):
    with pytest.raises(SpecError, match=r"holds no index\.yaml or index\.yml; no YAML file is beside it"):
        load_spec(tmp_path)
    for name in ("b.yaml", "a.yml", "c.txt"):
        (tmp_path / name).touch()
    with pytest.raises(SpecError, match=r"YAML files beside it: a\.yml, b\.yaml$"):
        load_spec(tmp_path)
    with pytest.raises(
        SpecError, match=r"x\.yaml: there is no such file or folder; YAML files beside it: a\.yml, b\.yaml$"
    ):
        load_spec(tmp_path / "x.yaml")
    with pytest.raises(SpecError, match="does not exist either"):
        load_spec(tmp_path / "no" / "x.yaml")


def test_two_index_files_in_a_folder_are_refused(tmp_path):
    for name in ("index.yaml", "index.yml"):
        (tmp_path / name).write_text(GOOD, encoding="utf-8")
    with pytest.raises(SpecError, match="remove one"):
        load_spec(tmp_path)


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        ("name: a\ndescription: 手册\n".encode("gb18030"), 2, "is not UTF-8 here"),
        (GOOD.encode("utf-16"), None, "is written in UTF-16"),
        (b"#" * ((1 << 20) + 1), None, "larger than 1 MB"),
    ],
)
def test_a_file_that_cannot_be_text_is_named_for_what_it_is(tmp_path, data, line, words):
    file = tmp_path / "index.yaml"
    file.write_bytes(data)
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    [(found, _, message)] = caught.value.problems
    assert found == line
    assert words in message


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path):
    (tmp_path / "index.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_spec(tmp_path).name == "a"
