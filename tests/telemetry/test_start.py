"""Sending it away: off by default, never in the way."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from by_hand import by_hand

from relance.errors import ConfigurationError
from relance.telemetry import start

needs_exporter = pytest.mark.skipif(
    importlib.util.find_spec("opentelemetry.exporter") is None, reason="the extra `telemetry` is not installed"
)
PROCESS = """
import sys
from pathlib import Path
from relance.index import Index
from relance.config import IndexSpec
from relance.telemetry import start_telemetry

print(start_telemetry(), start_telemetry() == start_telemetry())
folder = Path(sys.argv[1])
(folder / "docs").mkdir()
(folder / "docs" / "a.md").write_text("some words")
spec = {"name": "notes", "sources": [{"type": "files", "root": "docs"}], "embedding": {"model": "fake/hash"}}
print(Index(IndexSpec.model_validate(spec | {"store": {"uri": "db"}, "folder": folder})).ingest().status)
"""


class Collector:
    """Takes whatever is posted to it.

    Attributes:
        posted: path → bodies.
    """

    def __init__(self) -> None:
        self.posted: dict[str, list[bytes]] = {}
        self.url = ""


@pytest.fixture
def collector() -> Iterator[Collector]:
    collected = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collected.posted.setdefault(self.path, []).append(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class has it so
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collected.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield collected
        server.shutdown()
        thread.join()


def play(program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], env=ours | variables, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "_started", None)
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)


def test_without_the_variable_nothing_is_sent_or_even_imported() -> None:
    done = play(
        "import sys; from relance.telemetry import start_telemetry; print(start_telemetry());"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'prometheus', 'lancedb', 'numpy'))])"
    )
    assert (done.stdout, done.stderr) == ("()\n[]\n", "")


def test_without_an_sdk_a_run_works_as_ever(tmp_path: Path) -> None:
    block = "import sys\nsys.modules['opentelemetry.sdk'] = None\n"
    done = play(block + PROCESS, str(tmp_path))
    assert (done.stdout, done.stderr) == ("() True\ncompleted\n", "")


def test_a_missing_extra_is_a_line_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    assert start.start_telemetry() == ()
    [line] = caplog.messages
    assert re.fullmatch(r"sending metrics and traces .* pip install 'relance\[telemetry\]'; nothing is sent", line)


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
def test_another_protocol_is_told(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    monkeypatch.setenv(name, "grpc")
    with pytest.raises(ConfigurationError, match=rf"{name} is 'grpc'; relance sends http/protobuf only"):
        start.start_telemetry()


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_METRICS_EXPORTER": "none", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_opentelemetrys_own_switches_switch_it_off(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in (variables | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}).items():
        monkeypatch.setenv(name, value)
    assert start.start_telemetry() == ()


@needs_exporter
def test_a_process_sends_all_it_has_before_it_ends(tmp_path: Path, collector: Collector) -> None:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    done = play(PROCESS, str(tmp_path), OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="nightly")
    assert (done.stdout, done.stderr, done.returncode) == ("('metrics', 'traces') True\ncompleted\n", "", 0)
    metrics = [ExportMetricsServiceRequest.FromString(body) for body in collector.posted["/v1/metrics"]]
    traces = [ExportTraceServiceRequest.FromString(body) for body in collector.posted["/v1/traces"]]
    (resource,) = metrics[-1].resource_metrics
    attributes = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
    assert attributes["service.name"] == "nightly"
    assert attributes["service.version"]
    assert len(attributes["service.instance.id"]) == 32
    counted = {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}
    assert sum(point.as_int for point in counted["relance.documents"].sum.data_points) == 1
    spans = [span.name for each in traces for r in each.resource_spans for s in r.scope_spans for span in s.spans]
    assert sorted(spans) == ["chunk", "commit", "discover", "embed", "finish", "load", "request", "run notes"]


@needs_exporter
def test_one_signal_alone_can_be_sent(tmp_path: Path, collector: Collector) -> None:
    done = play(PROCESS, str(tmp_path), OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/here")
    assert done.stdout == "('traces',) True\ncompleted\n"
    assert list(collector.posted) == ["/here"]


@needs_exporter
@pytest.mark.parametrize("kind", ["silent", *by_hand("refused")])
def test_an_address_that_does_not_answer_costs_a_line_each_and_five_seconds(tmp_path: Path, kind: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if kind == "silent":
            listener.listen()
        url = f"http://user:secret@127.0.0.1:{listener.getsockname()[1]}"
        program = PROCESS + "\nimport time; print(time.monotonic())"
        done = play(program, str(tmp_path), OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_BSP_SCHEDULE_DELAY="50")
        ended = time.monotonic()
    assert done.returncode == 0
    *said, last = done.stdout.splitlines()
    assert said == ["('metrics', 'traces') True", "completed"]
    assert ended - float(last) < 7
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    port = url.rpartition(":")[2]
    assert sorted(done.stderr.splitlines()) == [
        f"{signal} cannot be sent to 127.0.0.1:{port}; the work goes on without" for signal in ("metrics", "traces")
    ]


@needs_exporter
def test_a_provider_that_is_there_already_is_left_alone(tmp_path: Path, collector: Collector) -> None:
    own = (
        "from opentelemetry import metrics, trace\n"
        "from opentelemetry.sdk.metrics import MeterProvider\nfrom opentelemetry.sdk.trace import TracerProvider\n"
        "meters, tracers = MeterProvider(), TracerProvider()\n"
        "metrics.set_meter_provider(meters); trace.set_tracer_provider(tracers)\n"
    )
    after = "\nprint(metrics.get_meter_provider() is meters, trace.get_tracer_provider() is tracers)"
    done = play(own + PROCESS + after, str(tmp_path), OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert (done.stdout, done.stderr) == ("() True\ncompleted\nTrue True\n", "")
    assert collector.posted == {}
