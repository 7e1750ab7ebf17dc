"""Embedding servers as they are: each habit that was reported of one, and what comes of a batch there."""

import re
from pathlib import Path

import numpy as np
import pytest
from odd_services import MODES, SERVICES, OddService, close_to
from openai_service import embed, spec_for

POISONED = ["one", "two", "poison", "four", "five", "six", "seven", "eight"]
INNOCENT = [f"text {number}" for number in range(8)]


@pytest.mark.parametrize("name", MODES)
def test_what_a_service_cannot_work_on_fails_alone_and_the_rest_gets_its_vectors(httpserver, name):
    mode = MODES[name]
    service = OddService(httpserver, mode)
    result = embed(spec_for(service, **mode.fields), POISONED)
    assert list(result.failures) == [2] * mode.blames
    good = [place for place in range(8) if place not in result.failures]
    assert close_to(result.vectors[good], [POISONED[place] for place in good])
    assert result.requests <= len(service.bodies) <= mode.requests
    if mode.learnt:
        del service.bodies[:]
        again = embed(spec_for(service, batch_texts=4, **mode.fields), INNOCENT)
        assert (again.failures, again.embedded) == ({}, 8)
        assert len(service.bodies) == 2, "nothing is refused that was refused before"
        assert close_to(again.vectors, INNOCENT)


@pytest.mark.parametrize("name", [name for name, mode in MODES.items() if mode.blames])
def test_a_failure_has_the_services_own_words(httpserver, name):
    service = OddService(httpserver, MODES[name])
    (reason,) = embed(spec_for(service), POISONED).failures.values()
    assert re.search(r"said \(4\d\d\)|said \(500\)|answered with a vector", reason)
    assert "Traceback" not in reason
    assert len(reason) < 500


def test_every_service_of_the_table_is_tested_and_every_one_that_is_tested_is_in_the_table():
    page = (Path(__file__).parents[2] / "docs" / "compatibility.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \*\*(.+?)\*\*", page, re.MULTILINE)
    assert rows == list(SERVICES)
    for name, row in zip(rows, re.findall(r"^\| \*\*.+$", page, re.MULTILINE), strict=True):
        assert row.count("|") >= 5
        assert "](https://" in row, f"no source in the row of {name}"


def test_a_model_that_shortens_is_asked_for_the_dimension_it_is_declared_with(httpserver):
    service = OddService(httpserver, MODES["vLLM: dimensions"])
    embed(spec_for(service), INNOCENT)
    assert ["dimensions" in body for body in service.bodies] == [True, False]
    assert np.shape(service.bodies) == (2,)
