"""A Ray cluster that is started for a run, or is not there: quiet, and nothing is left of it."""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from relance.errors import ConfigurationError
from relance.index import Index
from relance.pipeline.engines.ray import Ray

pytestmark = [
    pytest.mark.e2e, pytest.mark.timeout(600),
    # Not `importorskip`: the engine imports Ray, after it has set what Ray reads then.
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra ray is not installed"),
]  # fmt: skip


def test_a_cluster_of_its_own_is_quiet_and_leaves_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    handler, before = signal.getsignal(signal.SIGTERM), set(Path("/tmp").glob("relance-ray-*"))
    children = set(psutil.Process().children(recursive=True))
    with Ray(workers=1) as engine:
        submit: Any = engine.submit  # any function will do for a stage
        assert submit(lambda: os.getpid() + 0).result() != os.getpid()
        assert signal.getsignal(signal.SIGTERM) is handler
    deadline = time.monotonic() + 20
    while left := set(psutil.Process().children(recursive=True)) - children:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert set(Path("/tmp").glob("relance-ray-*")) == before
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:99999", "nonsense", "auto"])
def test_an_address_where_nothing_answers_is_one_sentence(
    make_index: Callable[..., Index], docs: Path, address: str
) -> None:
    (docs / "a.md").write_text("Some text.", encoding="utf-8")
    index, began = make_index(engine={"name": "ray", "address": address}), time.monotonic()
    with pytest.raises(ConfigurationError, match=rf"^engine\.address: no Ray cluster answers at {address}: [^\n]+$"):
        index.ingest()
    assert time.monotonic() - began < 60
