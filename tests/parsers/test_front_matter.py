"""What a Markdown file says about itself is kept as it was written, and what cannot be read is said."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parsing import read


def front(yaml, body="Body"):
    return read("a.md", f"---\n{yaml}\n---\n{body}\n")


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("title: Assignment 1: Pumps", "title", "Assignment 1: Pumps"),
        ("name: {{ page.title }}", "name", "{{ page.title }}"),
        ("owner: @team", "owner", "@team"),
        ("note: *important*", "note", "*important*"),
        ("note: `x`: y", "note", "`x`: y"),
        ("note: %percent", "note", "%percent"),
        ("list: [1, 2", "list", "[1, 2"),
        ('quote: "a" and b', "quote", '"a" and b'),
    ],
)
def test_a_line_yaml_refuses_is_kept_as_text_with_the_others(line, key, value):
    parsed = front(f"year: 2024\n{line}\ntags: [a, b]")
    found = {"title": parsed.title, **parsed.metadata}
    assert found == {"title": parsed.title, "year": 2024, "tags": ["a", "b"], key: value}
    assert parsed.text == "Body\n"
    assert parsed.warnings == ("line 3 of its front matter: no YAML, kept as text",)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("off", "off"),
        ("007", "007"),
        ("12:30", "12:30"),
        ("1.10", "1.10"),
        ("1.5", 1.5),
        ("3.11", 3.11),
        ("42", 42),
        ("-3", -3),
        ("0x1F", "0x1F"),
        ("1e5", "1e5"),
        ("1_000", "1_000"),
        ("99999999999999999999", "99999999999999999999"),
        ("2024-02-29", "2024-02-29"),
        ("2024-13-45", "2024-13-45"),
        ("2024-01-01 10:00:00", "2024-01-01 10:00:00"),
        ("true", True),
        ("~", None),
        ("", None),
        ("'12'", "12"),
        ("!tag value", "value"),
        ("=", "="),
    ],
)
def test_a_value_stays_what_was_written(written, value):
    found = front(f"key: {written}").metadata["key"]
    assert (found, type(found)) == (value, type(value))


def test_a_title_may_be_a_number_and_dots_may_end_it():
    parsed = read("a.md", "---\ntitle: 1984\nyear: 2024\n...\nBody\n")
    assert (parsed.title, parsed.text, parsed.metadata) == ("1984", "Body\n", {"year": 2024})


def test_lists_and_what_is_indented_belong_to_their_key():
    parsed = front("a:\n  - x: y: z\n  - *b\nc: |\n  first\n  second\nd: {{ t }}")
    assert parsed.metadata == {"a": ["x: y: z", "*b"], "c": "first\nsecond\n", "d": "{{ t }}"}
    assert parsed.warnings == ("lines 2, 8 of its front matter: no YAML, kept as text",)


def test_a_template_between_the_lines_costs_its_line_only():
    parsed = front("layout: post\n{% if draft %}\ndraft: true\n{% endif %}")
    assert parsed.metadata == {"layout": "post", "draft": True}
    assert parsed.warnings == ("lines 3, 5 of its front matter cannot be read, and left out",)


def test_a_key_that_stands_twice_is_said():
    parsed = front("a: 1\nb: 2\na: 3")
    assert parsed.metadata == {"a": 3, "b": 2}
    assert parsed.warnings == ("`a` stands twice in its front matter; the last one counts",)


def test_anchors_and_merge_keys_work():
    parsed = front("base: &b {x: 1, y: 2}\nother:\n  <<: *b\n  y: 3\nsame: *b")
    assert parsed.metadata == {"base": {"x": 1, "y": 2}, "other": {"x": 1, "y": 3}, "same": {"x": 1, "y": 2}}
    assert not parsed.warnings


@pytest.mark.parametrize(
    ("text", "metadata"),
    [
        ('{"title": "T", "tags": ["a"], "n": 1.50}\n\nBody\n', {"tags": ["a"], "n": 1.5}),
        ('---\n{"title": "T", "n": 1}\n---\nBody\n', {"n": 1}),
        ("+++\ntitle = 'T'\nday = 2024-02-29\nversion = 1.10\n[a]\nb = [1]\n+++\nBody\n",
         {"day": "2024-02-29", "version": "1.10", "a": {"b": [1]}}),
    ],
)  # fmt: skip
def test_json_and_toml_are_front_matter_too(text, metadata):
    parsed = read("a.md", text)
    assert (parsed.title, parsed.text.strip(), parsed.metadata) == ("T", "Body", metadata)


def test_toml_that_is_none_is_kept_by_line():
    parsed = read("a.md", "+++\ntitle = My Page\nweight = 3\n+++\nBody\n")
    assert (parsed.title, parsed.metadata) == ("My Page", {"weight": "3"})
    assert parsed.warnings == ("lines 2, 3 of its front matter: no TOML, kept as text",)


@pytest.mark.parametrize(
    "text", ["---\nNot a key\nnor here: yes no\n---\nBody", "{not json}\nBody", "+++\nx\n+++\nBody"]
)
def test_what_has_no_keys_stays_in_the_text_and_is_no_title(text):
    parsed = read("notes/a.md", text)
    assert (parsed.text, parsed.title, parsed.metadata) == (text, "a", {})


MERGES = "x0: &x0 {k: 1}\n" + "".join(f"x{n}: &x{n} {{<<: [*x{n - 1},*x{n - 1}]}}\n" for n in range(1, 40))
ALIASES = f'a: &a "{"x" * 58_000}"\nb: [{", ".join(["*a"] * 1_500)}]\n'
MANY = f'a: &a "{"x" * 58_000}"\n' + "".join(f"b{n}: *a\n" for n in range(1_000))
NESTED = "l0: &l0 [x]\n" + "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize("yaml", [MERGES, ALIASES, MANY, NESTED], ids=["merges", "aliases", "many", "nested"])
def test_what_unfolds_without_end_is_left_out_and_said(yaml):
    began = time.process_time()
    parsed = front(yaml + "ok: 1")
    assert time.process_time() - began < 2
    assert parsed.metadata["ok"] == 1 or len(parsed.warnings) > 900
    assert len(str(parsed.metadata)) < 2_000_000
    assert any("unfolds to too much, and is left out" in warning for warning in parsed.warnings)


@pytest.mark.parametrize(
    "body",
    ["a: " + "[" * 60_000, "a: " + "{b: " * 20_000, "- " * 60_000, "a.b.c." * 20_000 + "d = 1", "a: &a [*a]"],
    ids=["brackets", "braces", "lists", "dots", "itself"],
)
@pytest.mark.parametrize("fence", ["---", "+++"])
def test_no_depth_ends_the_process_or_takes_long(body, fence):
    began = time.process_time()
    assert read("a.md", f"{fence}\n{body}\nok: 1\n{fence}\n# Body\n").text.endswith("# Body\n")
    assert time.process_time() - began < 2


@pytest.mark.parametrize("unit", ["a: 1\n", "a", " ", "\n", "[", "a: b: c\n", "'", "水", "- ", "#\n", "a = 1\n"])
def test_long_front_matter_takes_linear_time(unit):
    for fence in ("---", "+++"):
        began = time.process_time()
        read("a.md", f"{fence}\n{unit * (150_000 // len(unit))}\n{fence}\nBody\n")
        assert time.process_time() - began < 3


@settings(max_examples=200, deadline=None)
@given(st.text("ab:-[]{}&*!|>'\"#%@`,? \n\t01.=<~", max_size=120), st.sampled_from(["---", "+++"]))
def test_anything_between_two_fences_is_survived(body, fence):
    parsed = read("a.md", f"{fence}\n{body}\n{fence}\nBody\n")
    assert parsed.text.endswith("Body\n")
    assert parsed.title


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True),
        st.one_of(st.integers(-(2**63) + 1, 2**63 - 1), st.booleans(), st.none(), st.text("abc é水", min_size=1)),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_written_as_yaml_comes_back(values):
    import yaml

    values.pop("title", None)
    written = yaml.safe_dump({"z": 0, **values}, allow_unicode=True)
    assert front(written).metadata == {"z": 0, **values}
