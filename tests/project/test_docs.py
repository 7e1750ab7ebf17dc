"""The documentation: it builds, its links lead somewhere, and what it shows of commands and specs is right."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import errors_page
import pytest
import stage
import yaml
from cyclopts import CycloptsError, MissingArgumentError
from lxml import html

from relance.analysis.labels import read_labels
from relance.cli.main import app
from relance.config import IndexSpec
from relance.config.load import parse_spec
from relance.evaluation import read_dataset
from relance.index import Index
from relance.serve.tokens import Tokens

ROOT = Path(__file__).parents[2]
# Pages people read; the changes tell of what was.
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in stage.OUTSIDE if name != "CHANGELOG.md")])
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}


def blocks(*languages: str) -> list[Any]:
    """Return the fenced blocks of all pages in these languages, without the blanks they are set in by."""
    pattern = re.compile(rf"^( *)```(?:{'|'.join(languages)})\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
    found = []
    for name, text in TEXTS.items():
        for at in pattern.finditer(text):
            line = text.count("\n", 0, at.start()) + 1
            found.append(pytest.param(re.sub(rf"^{at[1]}", "", at[2], flags=re.MULTILINE), id=f"{name}:{line}"))
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `just docs` does it: twenty seconds of a core, so one worker has all tests that need it."""
    home = tmp_path_factory.mktemp("site")
    stage.stage(home / "build" / "docs")
    shutil.copy2(ROOT / "mkdocs.yml", home)
    (home / "src").symlink_to(ROOT / "src")
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"], cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "site"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("site")
def test_every_link_of_the_site_leads_to_a_place_in_it_and_nothing_is_fetched(site: Path) -> None:
    pages = {path: html.parse(path).getroot() for path in site.rglob("*.html") if path.name != "404.html"}
    places = {path: {each.get("id") for each in page.iter() if each.get("id")} for path, page in pages.items()}
    assert len(pages) > 50
    for path, page in pages.items():
        for kind, address in [("src", each.get("src")) for each in page.iter("img", "script")] + [
            ("href", each.get("href")) for each in page.iter("a", "link")
        ]:
            if not address or address.startswith(("mailto:", "data:", "javascript:")):
                continue
            if re.match(r"https?:|//", address):
                assert kind == "href", f"{path.name} fetches {address}"
                continue
            file, _, anchor = address.partition("#")
            there = (path.parent / file.partition("?")[0]).resolve() if file else path
            if there.is_dir():
                there /= "index.html"
            assert there.is_file(), f"{path.relative_to(site)}: {address}"
            if anchor and not anchor.startswith("__") and there in places:
                assert anchor in places[there], f"{path.relative_to(site)}: {address}"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("site")
def test_each_page_has_one_first_heading_and_pictures_have_words(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = html.parse(path).getroot()
        if path.name != "404.html":
            assert len(page.xpath("//article//h1")) == 1, path
        assert not page.xpath("//article//img[not(@alt) or @alt='']"), path


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("site")
def test_the_reference_has_every_key_command_metric_and_error(site: Path) -> None:
    spec, commands, metrics, errors = (
        (site / "reference" / f"{name}.html").read_text(encoding="utf-8")
        for name in ("spec", "commands", "metrics", "errors")
    )
    from relance import errors as tree
    from relance.config.load import json_schema
    from relance.telemetry.metrics import METRICS

    schema = json_schema()
    models = [schema, *schema["$defs"].values()]
    assert not [key for model in models for key in model.get("properties", {}) if f"<code>{key}</code>" not in spec]
    assert not [name for name in app if not name.startswith("-") and f'id="relance-{name}"' not in commands]
    assert not [name for name in METRICS if f"<code>{name}</code>" not in metrics]
    kinds = [name for name in tree.__all__ if name.endswith("Error")]
    assert not [name for name in kinds if f'id="{name.lower()}"' not in errors]
    assert "relance_index_cost_usd_total" in metrics


@pytest.mark.parametrize("block", blocks("yaml"))
def test_a_yaml_block_is_a_spec_or_a_part_of_one(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in re.findall(r"\$\{(\w+)\}", block):
        monkeypatch.setenv(name, "https://proxy.example" if "PROXY" in name else "word")
    written = yaml.safe_load(block)
    if isinstance(written, list) and "query" in written[0]:
        (tmp_path / "golden.yaml").write_text(block, encoding="utf-8")
        assert read_dataset(tmp_path / "golden.yaml")[0]
        return
    if "tokens" in written:
        assert Tokens.parse(block)
        return
    if isinstance(written, list):
        written = {"sources": written}
    if not set(written) & set(IndexSpec.model_fields):
        (tmp_path / "labels.yaml").write_text(block, encoding="utf-8")
        assert read_labels(tmp_path / "labels.yaml")
        return
    whole: dict[str, Any] = {"name": "page", "sources": [{"type": "files", "root": "."}]} | written
    if "media" in whole or any("url" in (each.get("rows") or {}) for each in whole["sources"]):
        whole.setdefault("media", {})
        whole.setdefault("embedding", {"model": "dashscope/text-embedding-v4"})
    if "gate" in whole:
        (tmp_path / whole["gate"]["queries"]).write_text("- {query: where, documents: [a.md]}\n", encoding="utf-8")
    assert parse_spec(yaml.safe_dump(whole, allow_unicode=True), "index.yaml", tmp_path).name == whole["name"]


@pytest.mark.parametrize("block", blocks("json"))
def test_a_json_block_is_json(block: str) -> None:
    assert json.loads(block)


@pytest.mark.parametrize("block", blocks("python"))
def test_a_python_block_is_python(block: str) -> None:
    ast.parse(block)


def commands(text: str) -> list[list[str]]:
    """Return the calls of relance in a block of shell, as lists of words."""
    return [
        words[words.index("relance") + 1 :]
        for line in re.sub(r"\\\n", " ", text).splitlines()
        for words in parts(line)
        if words[:1] == ["relance"] or (words[:2] == ["uv", "run"] and "relance" in words)
    ]


def parts(line: str) -> list[list[str]]:
    """Split a line of shell at its operators, without its comment and the file that its output goes to."""
    line = re.sub(r"\s2?>\s*\S+", "", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:
        return []  # a quote goes on in the next line: no call of relance
    found: list[list[str]] = [[]]
    for token in tokens:
        if set(token) <= set("&|;"):
            found.append([])
        else:
            found[-1].append(token)
    return found


def check(words: list[str], *, whole: bool) -> None:
    """Let the command line read some words; what is missing is no fault where only a part is shown."""
    try:
        app.parse_args(words, exit_on_error=False, print_error=False)
    except MissingArgumentError:
        if whole:
            raise


def test_every_command_in_a_block_is_one_the_program_takes() -> None:
    checked = 0
    for case in blocks("sh", "console", "bash"):
        for words in commands(case.values[0]):
            try:
                check(words, whole=True)
            except CycloptsError as error:
                pytest.fail(f"{case.id}: relance {shlex.join(words)}: {error}")
            checked += 1
    assert checked > 60


@pytest.mark.slow
def test_the_commands_of_what_an_index_is_for_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All but the page that is served, in their order, on a copy of the handbook."""
    leave = shutil.ignore_patterns("lancedb")
    shutil.copytree(ROOT / "examples" / "handbook", tmp_path / "examples" / "handbook", ignore=leave)
    monkeypatch.chdir(tmp_path)
    Index("examples/handbook").ingest()
    [block] = [case.values[0] for case in blocks("sh") if str(case.id).startswith("docs/use.md:")]
    for words in commands(str(block)):
        if words[0] != "explore":
            assert app(words, exit_on_error=False, print_error=False) in {None, 0}, words
            assert len("".join(capsys.readouterr())) > 20, words
    assert {"map.html", "map.png"} <= {path.name for path in tmp_path.iterdir()}


def test_every_command_in_a_sentence_is_one_the_program_takes() -> None:
    checked = 0
    for name, text in TEXTS.items():
        for code in re.findall(r"`relance ([a-z][^`\n]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            words = shlex.split(re.sub(r"\.\.\.|…|\[.*?\]| \| .*", "", code))  # of alternatives, the first
            for number in ("PORT", "SECONDS"):
                words = ["1" if word == number else word for word in words]
            try:
                check(words, whole=False)
            except CycloptsError as error:
                pytest.fail(f"{name}: relance {code}: {error}")
            checked += 1
    assert checked > 100


def test_the_installation_lists_every_extra_and_no_page_installs_from_a_registry_that_has_no_relance() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    table = re.findall(r"^\| (`.*?) \|", TEXTS["docs/index.md"], flags=re.MULTILINE)
    assert set(re.findall(r"`([a-z0-9-]+)`", " ".join(table))) >= extras.keys()
    assert not [name for name, text in TEXTS.items() if "install 'relance[" in text or 'install "relance[' in text]


def test_the_messages_of_troubleshooting_are_the_program_s() -> None:
    files = [re.sub(r'"\s*\n\s*f?"', "", file.read_text(encoding="utf-8")).replace("`", "'")
             for file in errors_page.SOURCE.rglob("*.py")]  # fmt: skip
    headings = re.findall(r"^### (.+)$", TEXTS["docs/troubleshooting.md"], flags=re.MULTILINE)
    assert len(headings) > 15
    for heading in headings:
        parts = [part.strip(" '$;(),") for part in heading.split("…")]
        assert any(all(part in file for part in parts) for file in files), heading


@pytest.mark.slow
def test_each_class_of_errors_has_the_sentences_a_user_sees() -> None:
    from relance import errors as tree

    said = errors_page.messages()
    classes = [name for name in tree.__all__ if isinstance(getattr(tree, name), type)]
    assert [name for name in classes if not said[name]] == []
    assert "FILE:LINE: FIELD: must be at most half of max_tokens (…), got …" in said["SpecError"]
    assert "…: there is nothing at this address (…)." in said["GoneDocumentError"]
    assert any("is not valid at …: a key works only in the region" in text for text in said["AccountError"])


def test_a_link_that_leads_nowhere_ends_the_build() -> None:
    page = ROOT / "docs" / "index.md"
    assert stage.lead_links("[a](../README.md#b)", page, "index.md") == "[a](index.md#b)"
    assert stage.lead_links("[a](../justfile)", page, "index.md") == "a (`justfile`)"
    assert stage.lead_links("```sh\n[a](nowhere)\n```\n", page, "index.md") == "```sh\n[a](nowhere)\n```\n"
    with pytest.raises(LookupError, match=r"docs/index\.md: the link to \.\./nowhere\.md leads nowhere"):
        stage.lead_links("[a](../nowhere.md)", page, "index.md")
