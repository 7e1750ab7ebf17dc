"""Importing LanceDB without the client of its namespace servers: each case in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

API = "lance_namespace_urllib3_client.api.table_api"

# What a user may do with LanceDB and the client, after any order of imports.
WHOLE = """
import pickle, sys, typing
import lance_namespace, lance_namespace_urllib3_client as client
from lance_namespace_urllib3_client import ListTablesResponse, TableApi
from lance_namespace_urllib3_client.models import ListTablesResponse as of_models
assert ListTablesResponse is of_models is lance_namespace.ListTablesResponse is client.ListTablesResponse
page = lancedb.connect(sys.argv[1]).list_tables()
assert isinstance(page, ListTablesResponse) and pickle.loads(pickle.dumps(page)) == page
assert typing.get_type_hints(lancedb.DBConnection.list_tables, vars(lancedb.db))["return"] is ListTablesResponse
namespace = lancedb.connect_namespace("dir", {"root": sys.argv[1]})
namespace.create_table("some", [{"id": 1}])
assert namespace.open_table("some").count_rows() == 1 and namespace.list_tables().tables == ["some"]
assert client.__version__ and "TableApi" in dir(client) and client.api.table_api.TableApi is TableApi
assert not hasattr(client, "Nothing")
"""


def run(code: str, folder: Path, *, path: Path | None = None) -> str:
    environment = {"PYTHONPATH": str(path)} if path else {}
    command = [sys.executable, "-W", "error", "-c", code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_lancedb_after_relance_leaves_the_api_out_until_it_is_used(tmp_path: Path) -> None:
    code = f"import relance.store, lancedb, sys\nprint({API!r} in sys.modules)\n{WHOLE}\nprint({API!r} in sys.modules)"
    assert run(code, tmp_path).split() == ["False", "True"]


def test_a_run_and_a_search_leave_it_out(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one document", encoding="utf-8")
    code = f"""
import sys, relance
spec = dict(name="i", sources=[dict(type="files", root=sys.argv[1], include=["*.md"])], store=dict(uri=sys.argv[1] + "/db"))
index = relance.Index(relance.IndexSpec(**spec, embedding=dict(model="fake/hash", dimension=8)))
print(index.ingest().added, len(index.search("document")), index.status().documents, {API!r} in sys.modules)
"""
    assert run(code, tmp_path).split() == ["1", "1", "1", "False"]


@pytest.mark.long
def test_lancedb_before_relance_stays_as_it_is(tmp_path: Path) -> None:
    code = f"import lancedb, relance.store, sys; print({API!r} in sys.modules); {WHOLE}"
    assert run(code, tmp_path).split() == ["True"]


@pytest.mark.long
def test_the_client_without_lancedb_is_whole(tmp_path: Path) -> None:
    code = f"import relance.store, lance_namespace, sys; print({API!r} in sys.modules); import lancedb; {WHOLE}"
    assert run(code, tmp_path).split() == ["True"]


@pytest.mark.parametrize("first", [
    "import lance_namespace_urllib3_client.api_client as a; assert a.rest and a.ApiClient()",
    pytest.param("from lance_namespace_urllib3_client import rest; assert rest.RESTResponse", marks=pytest.mark.long),
    pytest.param("from lance_namespace_urllib3_client.api.table_api import TableApi; TableApi()", marks=pytest.mark.long),
    pytest.param("from lance_namespace_urllib3_client import *; TableApi(); ListTablesResponse(tables=[])", marks=pytest.mark.long),
    "import lance_namespace_urllib3_client as c, importlib; assert importlib.reload(c) is c and c.TableApi()",
])  # fmt: skip
def test_whatever_of_it_is_imported_first(first: str, tmp_path: Path) -> None:
    run(f"import relance.store, lancedb\n{first}\n{WHOLE}", tmp_path)


@pytest.mark.long
def test_threads_that_use_it_at_the_same_moment_get_it_whole(tmp_path: Path) -> None:
    code = """
import sys; sys.setswitchinterval(1e-6)
import importlib, threading, relance.store
begin, made, wrong = threading.Barrier(12), [], []
def use(place):
    begin.wait()
    try:
        import lancedb
        if place % 3 == 0:
            made.append(importlib.import_module("lance_namespace_urllib3_client.api_client").ApiClient)
        elif place % 3 == 1:
            made.append(importlib.import_module("lance_namespace_urllib3_client").ApiClient)
        else:
            from lance_namespace_urllib3_client import TableApi
            made.append(TableApi().api_client.__class__)
    except BaseException as error:
        wrong.append(error)
threads = [threading.Thread(target=use, args=(place,)) for place in range(12)]
[each.start() for each in threads]; [each.join() for each in threads]
print(wrong, len(made), len(set(made)))
"""
    assert run(code, tmp_path) == "[] 12 1\n"


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder of packages that are found before the installed ones."""
    folder = tmp_path / "packages"
    for name in ("lancedb", "lance_namespace_urllib3_client"):
        (folder / name).mkdir(parents=True)
    return folder


def test_a_lancedb_that_does_not_import_it_is_left_alone(packages: Path, tmp_path: Path) -> None:
    (packages / "lancedb/__init__.py").write_text("version = 1", encoding="utf-8")
    (packages / "lance_namespace_urllib3_client/__init__.py").write_text("print('ran')", encoding="utf-8")
    assert run("import relance.store, lancedb; print(lancedb.version)", tmp_path, path=packages) == "1\n"


def test_a_lancedb_that_uses_it_whole_gets_it_whole(packages: Path, tmp_path: Path) -> None:
    uses = "from lance_namespace_urllib3_client import found, other"
    (packages / "lancedb/__init__.py").write_text(uses, encoding="utf-8")
    (packages / "lance_namespace_urllib3_client/__init__.py").write_text("found = 1", encoding="utf-8")
    (packages / "lance_namespace_urllib3_client/other.py").write_text("", encoding="utf-8")
    code = "import relance.store, lancedb; print(lancedb.found, lancedb.other.__name__)"
    assert run(code, tmp_path, path=packages) == "1 lance_namespace_urllib3_client.other\n"


def test_its_own_error_is_shown_each_time_it_is_used(packages: Path, tmp_path: Path) -> None:
    (packages / "lancedb/__init__.py").write_text("import lance_namespace_urllib3_client as client", encoding="utf-8")
    (packages / "lance_namespace_urllib3_client/__init__.py").write_text("import not_installed", encoding="utf-8")
    code = """
import relance.store, lancedb
for _ in range(2):
    try:
        lancedb.client.TableApi
    except ModuleNotFoundError as error:
        print(error)
"""
    assert run(code, tmp_path, path=packages) == "No module named 'not_installed'\n" * 2
