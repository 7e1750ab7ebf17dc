"""Entries of bibliographies are documents with typed metadata."""

import time

import pytest
from collections_of import documents_in, problems_in, rows_in
from mutations import mutations, truncations

from relance.errors import DocumentError
from relance.parsers.latex_text import latex_text

BIB = r"""% a comment
@string{jx = "Journal of " # {X}}
@comment{not an entry}
@article{mueller:2020,
  author   = {M{\"u}ller, Ann and Doe, J.},
  title    = {{DNA} in Pumps: "Why" $p<0.05$ \& more},
  journal  = jx,
  year     = 2020, month = mar,
  pages    = {1--9},
  keywords = {water, heat},
  doi      = "10.1000/a_b",
  abstract = {Pumps
     are {\em old}.},
}
@book(knuth, title = "Books", editor = "Knuth, D.", year = {c. 1984})
"""
RIS = """TY  - JOUR
ID  - a1
TI  - Pumps
AU  - Doe, Ann
AU  - Roe, B.
PY  - 2020/03/01
T2  - Journal of X
KW  - water
KW  - heat
AB  - Pumps are
old.
DO  - 10.1000/a
ER  -
"""


def test_entries_of_bibtex_are_documents():
    found = documents_in("a.bib", BIB)
    assert list(found) == ["mueller:2020", "knuth"]
    article = found["mueller:2020"]
    assert article.title == 'DNA in Pumps: "Why" $p<0.05$ & more'
    assert article.text == f"{article.title}\n\nMüller, Ann; Doe, J.\nJournal of X, 2020\n\nPumps are old."
    assert article.metadata == {
        "type": "article",
        "authors": ["Müller, Ann", "Doe, J."],
        "journal": "Journal of X",
        "year": 2020,
        "month": "mar",
        "pages": "1–9",
        "keywords": ["water", "heat"],
        "doi": "10.1000/a_b",
    }
    assert found["knuth"].metadata["year"] == 1984
    assert found["knuth"].text == "Books\n\nKnuth, D.\n1984"


def test_entries_of_ris_are_documents():
    (row,) = documents_in("a.ris", RIS).values()
    assert (row.name, row.title) == ("a1", "Pumps")
    assert row.text == "Pumps\n\nDoe, Ann; Roe, B.\nJournal of X, 2020\n\nPumps are old."
    assert row.metadata == {
        "type": "JOUR",
        "authors": ["Doe, Ann", "Roe, B."],
        "year": 2020,
        "journal": "Journal of X",
        "keywords": ["water", "heat"],
        "doi": "10.1000/a",
    }


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("@book{a, title = {Open", "the entry 'a': the value of 'title' is not closed"),
        ("@book{a, title = {A}, title = {B}}", "the entry 'a': the field 'title' is there twice"),
        ("@book{a, title = {A}", "the entry 'a': it is not closed"),
        ("@book{a, year = 1999}", "no title, author or abstract in it"),
    ],
)
def test_an_entry_that_cannot_be_read_stops_no_other(entry, reason):
    data = f"{BIB}{entry}\n@book{{last, title = {{Last}}}}\n"
    assert problems_in("a.bib", data) == {"a.bib#line-16": reason}
    assert [getattr(row, "name", "") for row in rows_in("a.bib", data)][-1] == "last"


def test_an_entry_of_ris_that_is_not_closed_is_a_failure():
    assert problems_in("a.ris", RIS + RIS.replace("ER  -\n", "")) == {
        "a.ris#line-14": "the entry 'a1': its end is missing: no ER"
    }
    assert problems_in("a.ris", "Words") == {"a.ris": "no bibliography: there is no entry in it"}


def test_a_key_that_comes_again_has_a_number():
    assert list(documents_in("a.bib", BIB * 2))[2:] == ["mueller:2020-2", "knuth-2"]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (r"M{\"u}ller, G{\'e}rard \v{S}koda Fran\c{c}ois \AA ngstr{\"o}m", "Müller, Gérard Škoda François Ångström"),
        (r"\'{\i}ndice \o re stra{\ss}e {\L}{\'o}d\'z", "índice øre straße Łódź"),
        (r"{The {XML} Book} \emph{now} 1--2~x", "The XML Book now 1–2 x"),
        (r"$x_{1}^{2}$ \{a\} 5\% \unknown{y}", r"$x_{1}^{2}$ {a} 5% \unknowny"),
        ("plain - text", "plain - text"),
    ],
)
def test_latex_of_fields_is_text(written, text):
    assert latex_text(written) == text


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.bib", "@a{" * 300_000),
        ("a.bib", "@a{x,\n" * 50_000),
        ("a.bib", "@article{a, title={" + "{" * 900_000),
        ("a.bib", "@article{a, title={" + "\\'" * 400_000 + "}}"),
        ("a.bib", "@article{a, title={x}" + " " * 900_000 + "y"),
        ("a.ris", "TY  - JOUR\nTI  - x\n" + "y\n" * 300_000 + "ER  - \n"),
        ("a.ris", "TY  - JOUR\n" + "AB  - x\n" * 100_000),
    ],
)
def test_hostile_bibliographies_end_soon(name, data):
    began = time.process_time()
    rows_in(name, data, max_row=1 << 24)
    assert time.process_time() - began < 10  # one that grows by the square takes minutes


@pytest.mark.parametrize(("name", "whole"), [("a.bib", BIB), ("a.ris", RIS)])
def test_damaged_bibliographies_are_documents_or_failures_in_one_sentence(name, whole):
    for data in [*mutations(whole.encode(), 60), *truncations(whole.encode(), 20)]:
        for found in rows_in(name, data):
            if isinstance(found, DocumentError):
                assert "\n" not in found.reason
                assert "cannot be parsed" not in found.reason
