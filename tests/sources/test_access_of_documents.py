"""Who may see a document, from sources of each kind: front matter, or the same for all documents."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from buckets import s3_server
from git_repositories import Repo
from mail_servers import mail
from sites import section, site

import relance
from relance.config import IndexSpec
from relance.index import Index

# Writes a document by its name; the section of a source that has it.
Place = tuple[Callable[[str, str], Any], dict[str, Any]]


@contextmanager
def git(folder: Path) -> Generator[Place]:
    work = Repo(folder / "work")

    def write(name: str, text: str) -> None:
        work.write(f"{name}.md", text)
        work.commit()

    yield write, {"type": "git", "url": "work"}


@contextmanager
def objects(_: Path) -> Generator[Place]:
    with s3_server() as server:
        server.make("notes")
        yield lambda name, text: server.put("notes", f"{name}.md", text), server.section("notes")


@contextmanager
def web(_: Path) -> Generator[Place]:
    with site() as served:

        def write(name: str, text: str) -> None:
            served.put(f"/{name}.md", text.encode(), media_type="text/markdown")

        yield write, section([f"{served.url}/{name}.md" for name in ("one", "two")])


@contextmanager
def letters(folder: Path) -> Generator[Place]:
    for name in ("cur", "new", "tmp"):
        (folder / "mail" / name).mkdir(parents=True)
    yield (lambda name, text: (folder / "mail/cur" / f"{name}:2,S").write_bytes(mail(name, text)),
           {"type": "mail", "maildir": "mail"})  # fmt: skip


PLACES = {"git": git, "objects": objects, "web": web, "mail": letters}


def seen(index: Index, *principals: str) -> int:
    return len({hit.uri for hit in index.search("ferry", k=20, mode="full-text", principals=principals)})


@pytest.mark.parametrize("kind", PLACES)
def test_documents_are_for_whom_they_or_their_source_name(tmp_path: Path, kind: str) -> None:
    def index(access: Any) -> Index:
        sources = [chosen | ({"access": access} if access else {})]
        declared = {"name": "ferry", "sources": sources, "embedding": {"model": "fake/hash"}, "store": {"uri": "db"}}
        return Index(IndexSpec.model_validate(declared | {"folder": tmp_path}))

    with PLACES[kind](tmp_path) as (write, chosen):
        for name, readers in {"one": "[ada, bob]", "two": "[ada]"}.items():
            write(name, f"---\nreaders: {readers}\n---\n# {name}\n\nThe ferry {name} leaves.\n")
        all_alike = index({"principals": ["boss"]})
        all_alike.ingest()
        assert (seen(all_alike), seen(all_alike, "ada"), seen(all_alike, "boss")) == (0, 0, 2)
        by_field = index({"field": "readers"})
        report = by_field.ingest()
        assert (report.changed, report.embedded) == (2, 0)
        if kind == "mail":  # a letter has no front matter: its field is not there
            assert seen(by_field, "ada", "bob") == 0
            assert all("nobody sees it" in each.reason for each in by_field.failures())
            return
        assert (seen(by_field), seen(by_field, "ada"), seen(by_field, "bob")) == (0, 2, 1)
        write("one", "---\nreaders: [ada]\n---\n# one\n\nThe ferry one leaves.\n")
        report = by_field.ingest()
        assert (report.changed, report.embedded) == (1, 0)
        assert (seen(by_field, "ada"), seen(by_field, "bob")) == (2, 0)
        assert len(by_field.search("ferry", mode="full-text", principals=relance.OWNER)) == 2
