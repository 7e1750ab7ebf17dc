"""`relance init --from` writes a spec that works, after a look at what is there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from buckets import KEY_ID, SECRET, s3_server
from git_repositories import Repo, needs_git
from pytest_httpserver import HTTPServer

from relance.config.plugins import loaded_plugins


def test_a_folder_elsewhere_becomes_a_source_relative_to_the_spec(run, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.md").write_text("# Pumps\n\nA pump moves water.")
    (tmp_path / "mine/b.bin").write_bytes(b"\0\1")
    monkeypatch.chdir(tmp_path)
    ran = run("init", "new", "--from", "mine")
    assert ran.code == 0
    assert "found 1 document (1 text/markdown)" in ran.out
    assert "left out: 1 (type that is not read)" in ran.out
    spec = yaml.safe_load(Path("new/index.yaml").read_text())
    assert spec["sources"] == [{"type": "files", "root": "../mine"}]
    assert run("ingest", "new", "--direct").code == 0
    assert "A pump moves water." in run("search", "new", "water").out


def test_an_address_of_no_source_is_a_mistake_with_examples(run, tmp_path):
    ran = run("init", str(tmp_path / "new"), "--from", "gopher://host/x")
    assert ran.code == 2
    assert "is the address of no source; examples are s3://" in " ".join(ran.err.split())
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_missing_leaves_nothing_behind(run, tmp_path):
    ran = run("init", str(tmp_path / "new"), "--from", str(tmp_path / "nowhere"))
    assert ran.code == 2
    assert "does not exist" in ran.err
    assert not (tmp_path / "new").exists()


def test_an_index_that_is_there_stays(run, tmp_path):
    assert run("init", str(tmp_path)).code == 0
    before = (tmp_path / "index.yaml").read_text()
    ran = run("init", str(tmp_path), "--from", str(tmp_path / "docs"))
    assert ran.code == 2
    assert (tmp_path / "index.yaml").read_text() == before


def shop(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, words TEXT, price REAL, url TEXT)")
        database.execute("INSERT INTO products VALUES (1, 'Pump', 'A pump moves water.', 9.5, 'https://example.com/1')")


def test_a_database_becomes_a_source_with_its_columns(run, tmp_path):
    shop(tmp_path / "shop.db")
    ran = run("init", str(tmp_path / "new"), "--from", f"sqlite:///{tmp_path}/shop.db")
    assert ran.code == 0
    assert "found 1 table" in ran.out
    (section,) = yaml.safe_load((tmp_path / "new/index.yaml").read_text())["sources"]
    assert section["table"] == "products"
    assert section["rows"] == {"text": ["name", "words"], "title": "name", "metadata": ["price", "url"]}
    assert run("ingest", str(tmp_path / "new"), "--direct").code == 0
    assert "A pump moves water." in run("search", str(tmp_path / "new"), "water").out


def test_the_file_of_a_database_is_named_by_an_address(run, tmp_path):
    shop(tmp_path / "shop.db")
    ran = run("init", "new", "--from", "shop.db")
    assert ran.code == 2
    assert f"is a SQLite database; name it as sqlite:///{tmp_path}/shop.db" in ran.err
    (tmp_path / "shop.duckdb").write_bytes(b"\0" * 8 + b"DUCK" + b"\0" * 8)
    assert "name it as duckdb:///" in run("init", "new", "--from", str(tmp_path / "shop.duckdb")).err


def test_the_address_of_a_file_is_relative_to_where_it_is_typed(run, tmp_path, monkeypatch):
    shop(tmp_path / "shop.db")
    monkeypatch.chdir(tmp_path)
    assert "did you mean 'products'?" in run("init", "new", "--from", "sqlite:///shop.db#product").err
    ran = run("init", "new", "--from", "sqlite:///shop.db#products")
    assert ran.code == 0, ran.err
    (section,) = yaml.safe_load((tmp_path / "new/index.yaml").read_text())["sources"]
    assert section["url"] == "sqlite:///../shop.db"
    assert run("plan", "new").code == 0


def test_a_folder_of_parquet_is_a_table_with_its_columns(run, tmp_path, monkeypatch):
    (tmp_path / "lake/year=2024").mkdir(parents=True)
    pq.write_table(pa.table({"id": ["1"], "body": ["A pump moves water."]}), tmp_path / "lake/year=2024/a.parquet")
    monkeypatch.chdir(tmp_path)
    ran = run("init", "new", "--from", "lake")
    assert ran.code == 0, ran.err
    assert "found 1 table" in ran.out
    assert yaml.safe_load((tmp_path / "new/index.yaml").read_text())["sources"] == [
        {"type": "lake", "format": "parquet", "uri": "../lake", "rows": {"text": ["body"], "metadata": ["year"]}}
    ]
    assert run("ingest", "new", "--direct").code == 0
    assert "A pump moves water." in run("search", "new", "water").out


def test_a_site_on_this_machine_that_is_named_is_meant(run, tmp_path):
    with HTTPServer(host="127.0.0.1") as server:
        server.expect_request("/robots.txt").respond_with_data("", status=404)
        server.expect_request("/a.html").respond_with_data("<p>A pump moves water.</p>", content_type="text/html")
        ran = run("init", "new", "--from", server.url_for("/a.html"))
        assert ran.code == 0, ran.err
        (section,) = yaml.safe_load((tmp_path / "new/index.yaml").read_text())["sources"]
        assert section["allow"] == [f"127.0.0.1:{server.port}"]
        assert "found 1 document" in ran.out


def test_of_several_tables_one_has_to_be_named(run, tmp_path):
    shop(tmp_path / "shop.db")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, amount REAL)")
    address = f"sqlite:///{tmp_path}/shop.db"
    ran = run("init", str(tmp_path / "new"), "--from", address)
    assert ran.code == 2
    assert "orders, products" in ran.err
    assert "#orders" in ran.err
    assert "has no column with words" in run("init", str(tmp_path / "new"), "--from", f"{address}#orders").err
    assert run("init", str(tmp_path / "new"), "--from", f"{address}#products").code == 0


@needs_git
def test_a_repository_becomes_a_source(run, tmp_path):
    repo = Repo(tmp_path / "work", tmp_path / "srv/repo.git")
    repo.write("docs/a.md", "# Pumps\n\nA pump moves water.")
    repo.commit()
    ran = run("init", str(tmp_path / "new"), "--from", f"git+file://{tmp_path}/srv/repo.git")
    assert ran.code == 0, ran.err
    assert "found 1 document (1 text/markdown)" in ran.out
    assert run("ingest", str(tmp_path / "new"), "--direct").code == 0
    assert "A pump moves water." in run("search", str(tmp_path / "new"), "water").out


def test_a_bucket_becomes_a_source(run, tmp_path, monkeypatch):
    with s3_server() as server:
        server.make("wiki")
        server.put("wiki", "docs/a.md", "# Pumps\n\nA pump moves water.")
        for name, value in (("ACCESS_KEY_ID", KEY_ID), ("SECRET_ACCESS_KEY", SECRET), ("REGION", "us-east-1"),
                            ("ENDPOINT", server.endpoint), ("ALLOW_HTTP", "true")):  # fmt: skip
            monkeypatch.setenv(f"AWS_{name}", value)
        ran = run("init", str(tmp_path / "new"), "--from", "s3://wiki/docs")
        assert ran.code == 0, ran.err
        assert "found 1 document (1 text/markdown)" in ran.out
        assert run("ingest", str(tmp_path / "new"), "--direct").code == 0
        assert "A pump moves water." in run("search", str(tmp_path / "new"), "water").out


@pytest.mark.parametrize(("address", "section"), [
    ("https://example.com/sitemap.xml", {"type": "web", "start": ["https://example.com/sitemap.xml"]}),
    ("https://example.com/org/repo.git#v2", {"type": "git", "url": "https://example.com/org/repo.git", "ref": "v2"}),
    ("git+https://example.com/org/repo", {"type": "git", "url": "https://example.com/org/repo"}),
    ("imaps://me%40x:secret@imap.example.com", {"type": "mail", "host": "imap.example.com", "username": "me@x",
                                               "password": "secret"}),
])  # fmt: skip
def test_addresses_of_other_kinds_are_known(address, section):
    kinds = {name: kind.Spec.suggest(address) for name, kind in loaded_plugins("sources").items()}
    assert kinds[section["type"]] == section
    loaded_plugins("sources")[section["type"]].Spec.model_validate(section)
