"""Batches through crashes and lost answers: no text is ordered twice."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

import pytest
from batch_emulator import FAST, TEXTS, Service, embedding_for, emulating, has, open_orders
from parts import entered

from relance.embedding.batch_api import fill
from relance.pipeline.batch_mode import fill_context
from relance.store.catalog import Catalog

SERVICE = "batch_emulator"
pytestmark = pytest.mark.usefixtures("impatient")
fill_module = import_module("relance.embedding.batch_api.fill")  # the package has a function of that name


class CrashError(BaseException):
    """The process is no more."""


class Crash:
    """Ends a run after the n-th thing it does to the outside: call a service, write to the catalog."""

    def __init__(self, monkeypatch, at):
        self.left = at
        self.happened = False
        put, loop = Catalog.put, fill_module.event_loop

        def counted_put(catalog, key, value, *, expected):
            put(catalog, key, value, expected=expected)
            if key.startswith("bulk/"):
                self.step()

        @contextmanager
        def counted_loop():
            with loop() as portal:
                yield Portal(portal, self.step)

        monkeypatch.setattr(Catalog, "put", counted_put)
        monkeypatch.setattr(fill_module, "event_loop", counted_loop)

    def step(self):
        self.left -= 1
        if self.left == 0:
            self.happened = True
            raise CrashError


class Portal:
    def __init__(self, portal, step):
        self._portal = portal
        self._step = step

    def call(self, work, *args):
        result = self._portal.call(work, *args)
        if work.__name__ != "aclose":
            self._step()
        return result


@pytest.mark.slow
@pytest.mark.long
def test_a_run_may_be_killed_anywhere_and_each_text_is_still_ordered_once(service, start):
    calm: dict[str, Any] = {"least": 1, "max_lines": 2, "poll_s": (0.1, 0.1)}
    for at in range(1, 60):
        service.post("reset")
        texts = [f"{at}: {text}" for text in TEXTS[:4]]
        with pytest.MonkeyPatch.context() as patch, suppress(CrashError):
            crash = Crash(patch, at)
            with start() as run:
                fill(fill_context(run), [(texts, None)], **calm)
        if not crash.happened:
            break
        with start() as run:
            report = fill(fill_context(run), [(texts, None)], **calm)
            assert all(has(run, texts)), at
            assert report.waiting == 0, at
        stats = service.stats()
        assert (stats["texts"], stats["duplicates"]) == (4, 0), at
    assert not crash.happened
    assert at > 15


@pytest.mark.slow
def test_a_killed_process_loses_no_batch(make_index, tmp_path):
    with emulating(batch_s=3.0) as url:
        service = Service(url)
        spec = make_index(embedding=embedding_for(service)).spec
        script = (
            "import json, sys\n"
            "from relance.embedding.batch_api import fill\n"
            "from relance.pipeline.batch_mode import fill_context\n"
            "from relance.pipeline.run import Run\n"
            "from relance.config import IndexSpec\n"
            "declared, texts = json.loads(sys.argv[1])\n"
            "with Run(IndexSpec.model_validate(declared)) as run:\n"
            "    fill(fill_context(run.parts[0]), [(texts, None)], least=1)\n"
        )
        declared = spec.model_dump(mode="json") | {"embedding": embedding_for(service), "folder": str(tmp_path)}
        process = subprocess.Popen([sys.executable, "-c", script, json.dumps([declared, TEXTS])])
        with entered(spec, read_only=True) as reader:
            deadline = time.monotonic() + 60
            while not any(order.batch_id for order in open_orders(reader)):
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

        read_when = []

        def texts():
            read_when.append(all(has(run, TEXTS)))
            yield TEXTS, None

        with entered(spec, wait_s=10) as run:
            report = fill(fill_context(run), texts(), **FAST)
        assert read_when == [True]  # the batch was received before a document was read
        assert (report.ordered, report.embedded) == (0, len(TEXTS))
        assert (service.stats()["texts"], service.stats()["duplicates"]) == (len(TEXTS), 0)


@pytest.mark.parametrize("action", ["reset", "truncated", "ok_with_code", "InternalError", "html"])
def test_an_order_whose_answer_is_lost_is_looked_up_before_it_is_made_again(service, start, action):
    service.post("faults", [{"kind": "batches", "times": 1, "action": action}])
    with start() as run:
        report = fill(fill_context(run), [(TEXTS, None)], **FAST)
        assert (report.embedded, report.batches) == (len(TEXTS), 1)
    assert (service.stats()["texts"], service.stats()["duplicates"]) == (len(TEXTS), 0)
    assert service.sent("GET", "/batches")


@pytest.mark.parametrize("seed", range(2))
def test_a_shaky_service_is_waited_for_and_nothing_is_bought_twice(make_index, seed):
    faults = [
        {"probability": 0.1, "action": action}
        for action in ("reset", "truncated", "html", "InternalError", "Throttling", "ModelUnavailable")
    ]
    with emulating(batch_s=0.05, seed=seed) as url:
        service = Service(url)
        service.post("faults", faults)
        with entered(make_index(embedding=embedding_for(service)).spec) as run:
            report = fill(fill_context(run), [(TEXTS, None)], **FAST, max_lines=5)
            assert all(has(run, TEXTS))
        stats = service.stats()
    assert report.batches == 5
    assert (stats["texts"], stats["duplicates"]) == (len(TEXTS), 0)
    assert len(stats["by_status"]) > 2  # it was shaky
