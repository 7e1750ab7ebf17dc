"""Whole runs against DashScope's emulator with batches at half the price."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from emulated_runs import COMPATIBLE, NATIVE, check_vectors, emulating, notes, texts_of, write_corpus

from relance.errors import AccountError
from relance.index import Index

SERVICE = "run_emulator"
BATCHES = "/compatible-mode/v1/batches"


def test_batches_cost_half_in_plan_and_report_and_count_once(declare, docs, service, run) -> None:
    texts = notes(120)
    write_corpus(docs, texts | {"again": texts["n0"]})
    full = Index(declare(service)).plan()
    assert full.cost_usd == pytest.approx(full.tokens * 0.07e-6)
    spec = declare(service, mode="batch")
    plan = Index(spec).plan()
    half = full.tokens * 0.035e-6
    assert (plan.tokens, plan.cost_usd) == (full.tokens, pytest.approx(half))
    assert f"${half:.4f}" in run("plan", spec).out
    ran = run("ingest", spec, "--direct", "--json")
    assert (ran.code, ran.err) == (0, "")
    report = json.loads(ran.out)
    assert (report["status"], report["added"], report["chunks"]) == ("completed", 121, 121)
    assert (report["embedded"], report["reused"], report["tokens"]) == (120, 1, plan.tokens)
    assert report["cost_usd"] == pytest.approx(half, abs=1e-6)
    assert service.calls(NATIVE) + service.calls(COMPATIBLE) == 0
    assert (service.stats()["texts"], service.stats()["duplicates"]) == (120, 0)
    check_vectors(Index(spec))

    again = Index(spec).ingest()
    assert (again.unchanged, again.embedded, again.requests, len(service.sent(BATCHES))) == (121, 0, 0, 1)


@pytest.mark.slow
def test_a_run_that_is_killed_while_it_waits_for_its_batch_is_taken_up_by_the_next(declare, docs) -> None:
    texts = notes(120)
    write_corpus(docs, texts)
    with emulating(batch_s=2.5) as service:
        spec = declare(service, mode="batch")
        command = [sys.executable, "-m", "relance.cli.main", "ingest", str(spec), "--direct"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ))
        deadline = time.monotonic() + 60
        while not service.sent(BATCHES):
            assert process.poll() is None
            assert time.monotonic() < deadline, "no batch was ordered"
            time.sleep(0.05)
        time.sleep(random.uniform(0.0, 1.0))
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
        assert (process.returncode, out, err) == (-signal.SIGKILL, b"", b"")

        index = Index(spec)
        report = index.ingest(wait_s=30)
        assert (report.status, report.added, report.embedded, report.reused) == ("completed", 120, 120, 0)
        assert len(service.sent(BATCHES)) == 1
        assert service.calls(NATIVE) + service.calls(COMPATIBLE) == 0
        assert (service.stats()["texts"], service.stats()["duplicates"]) == (120, 0)
    assert sorted(texts_of(index)) == sorted(texts.values())
    check_vectors(index)


def test_a_refused_account_ends_a_batch_run_before_anything_is_ordered(declare, docs, service) -> None:
    write_corpus(docs, notes(120))
    index = Index(declare(service, mode="batch"))
    service.faults({"kind": "files", "action": "Arrearage"})
    with pytest.raises(AccountError, match=r"a bill to be paid"):
        index.ingest()
    assert (service.stats()["requests"], service.stats()["texts"]) == (1, 0)
    service.faults()
    report = index.ingest()
    assert (report.status, report.embedded, service.stats()["duplicates"]) == ("completed", 120, 0)
