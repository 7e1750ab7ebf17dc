"""`relance sources` lists the kinds of sources, what they need, and what their sections may say."""

import json

import pytest

from relance.config.plugins import loaded_plugins


def test_every_installed_kind_is_listed_with_its_options(run):
    (code, out, _) = run("sources", "--json")
    rows = {row["type"]: row for row in json.loads(out)["sources"]}
    assert code == 0
    assert rows.keys() == loaded_plugins("sources").keys()
    for name, row in rows.items():
        options = {option["name"] for option in row["options"]}
        assert options == loaded_plugins("sources")[name].Spec.model_fields.keys() - {"type"}
        assert row["title"]
        assert all(option["help"] for option in row["options"]), f"an option of {name} has no help"


def test_a_kind_whose_library_is_missing_says_what_to_install(run, monkeypatch):
    kind = loaded_plugins("sources")["files"]
    monkeypatch.setattr(kind, "libraries", {"no_such_module": "spam"})
    (_, out, _) = run("sources")
    assert "pip install 'relance[spam]'" in " ".join(out.split())
    (_, out, _) = run("sources", "files", "--json")
    assert json.loads(out)["sources"][0]["missing"] == ["spam"]


def test_the_options_of_one_kind_say_type_default_and_what_they_are(run):
    (code, out, _) = run("sources", "files", "--json")
    (row,) = json.loads(out)["sources"]
    options = {option["name"]: option for option in row["options"]}
    assert code == 0
    assert (options["root"]["required"], options["root"]["type"]) == (True, "text")
    assert (options["include"]["default"], options["include"]["type"]) == (["**/*"], "list of text")
    assert (options["hidden"]["default"], options["max_size"]["default"]) == (False, "64.0MiB")
    assert next(iter(options)) == "root", "its own options come first"
    (_, out, _) = run("sources", "files")
    assert "required. Folder to read" in " ".join(out.replace("│", " ").split())
    assert out.startswith("type: files (installed)")
    (_, out, _) = run("sources", "web")
    assert "default ." not in " ".join(out.replace("│", " ").split()), "a secret that is empty by default"


@pytest.mark.parametrize(("kind", "hint"), [("fles", "did you mean 'files'?"), ("zzz", "there are")])
def test_an_unknown_kind_is_a_mistake_with_a_hint(run, kind, hint):
    (code, _, err) = run("sources", kind)
    assert code == 2
    assert hint in " ".join(err.split())
