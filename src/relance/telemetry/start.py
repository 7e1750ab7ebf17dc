"""Sending metrics and traces to where the environment says, for as long as a process lives."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, Protocol
from urllib.parse import urlsplit

from relance.errors import ConfigurationError, MissingExtraError

__all__ = ["start_telemetry"]

log = logging.getLogger(__name__)

# The SDK's own is a minute, in which many a run has begun and ended.
_EVERY_MS = 15_000.0
_PATIENCE_S = 5.0
_INSTANCE = uuid.uuid4().hex

_failing: set[str] = set()

_lock = threading.Lock()
_started: tuple[str, ...] | None = None


def start_telemetry() -> tuple[str, ...]:
    """Send metrics and traces by OTLP if OTEL_EXPORTER_OTLP_ENDPOINT (or …_METRICS_, …_TRACES_ENDPOINT) is set.

    Returns what is sent: `metrics`, `traces`, both or neither. Call it as often as you like; the first call counts. A
    provider that is installed already (by `opentelemetry-instrument`, or the program relance is part of) is left alone.
    OpenTelemetry's other variables mean what they mean everywhere. What is left at the process's end is sent within
    five seconds; an address that does not answer costs one line in the log, and so does an SDK that is not installed:
    a cluster may set the variable for every program in it.

    Raises ConfigurationError (another protocol).
    """
    global _started  # noqa: PLW0603  # one SDK per process is OpenTelemetry's own rule
    with _lock:
        if _started is None:
            _started = _start()
        return _started


def _start() -> tuple[str, ...]:
    wanted = [signal for signal in ("metrics", "traces") if _endpoint(signal)]
    if not wanted or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    for name in (
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        *(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL" for signal in wanted),
    ):
        if (protocol := os.environ.get(name, "")) not in {"", "http/protobuf"}:
            msg = f"{name} is {protocol!r}; relance sends http/protobuf only, usually to port 4318"
            raise ConfigurationError(msg)
    try:
        import opentelemetry.exporter.otlp.proto.http
        import opentelemetry.sdk  # noqa: F401  # whether they are there
    except ImportError:
        what = f"sending {' and '.join(wanted)} to OTEL_EXPORTER_OTLP_ENDPOINT"
        log.warning("%s; nothing is sent", MissingExtraError(what, "telemetry"))
        return ()
    # One sentence of ours instead of theirs, which come every few seconds and with tracebacks.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    start: dict[str, Callable[[], Provider | None]] = {"metrics": _metrics, "traces": _traces}
    providers = {signal: provider for signal in wanted if (provider := start[signal]()) is not None}
    _shut_down_at_exit(providers)
    return tuple(providers)


class Provider(Protocol):
    """What the SDK's providers of metrics and of traces have in common."""

    def shutdown(self) -> None:
        """Send what is left, and end."""


def _endpoint(signal: str) -> str:
    """Return the address a signal goes to, or nothing."""
    if os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip().lower() == "none":
        return ""
    own = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "")
    return own or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")


def _metrics() -> Provider | None:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.metrics import get_meter_provider, set_meter_provider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    every = None if os.environ.get("OTEL_METRIC_EXPORT_INTERVAL") else _EVERY_MS
    reader = PeriodicExportingMetricReader(_told_once(OTLPMetricExporter(), "metrics"), every)
    provider = MeterProvider([reader], _resource(), shutdown_on_exit=False)
    set_meter_provider(provider)
    return _if_ours(provider, get_meter_provider())


def _traces() -> Provider | None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import get_tracer_provider, set_tracer_provider

    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_told_once(OTLPSpanExporter(), "traces")))
    set_tracer_provider(provider)
    return _if_ours(provider, get_tracer_provider())


def _if_ours(provider: Provider, installed: object) -> Provider | None:
    """Return a provider that could be installed; where another one was first, end it."""
    if provider is installed:
        return provider
    provider.shutdown()
    return None


def _resource() -> Any:
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    # Each process counts from nothing, so each has to be told from the others.
    ours = {"service.name": "relance", "service.version": version("relance"), "service.instance.id": _INSTANCE}
    return Resource.create(ours).merge(OTELResourceDetector().detect())


def _told_once(exporter: Any, signal: str) -> Any:
    """Make an exporter say it once when its address stops answering, and once when it answers again."""
    export = exporter.export

    def told(*batch: Any, **options: Any) -> Any:
        sent = False
        try:
            result = export(*batch, **options)
            sent = result.name == "SUCCESS"
        finally:
            if sent and signal in _failing:
                _failing.discard(signal)
                log.warning("%s are sent to %s again", signal, _where(signal))
            elif not sent:
                _tell(signal)
        return result

    exporter.export = told
    return exporter


def _tell(signal: str) -> None:
    if signal not in _failing:
        _failing.add(signal)
        log.warning("%s cannot be sent to %s; the work goes on without", signal, _where(signal))


def _where(signal: str) -> str:
    """Name the host a signal goes to: there may be a password in the rest of the address."""
    address = urlsplit(_endpoint(signal))
    return (address.hostname or "its address") + (f":{address.port}" if address.port else "")


def _shut_down_at_exit(providers: Mapping[str, Provider]) -> None:
    """Send the rest when the process ends, for at most five seconds.

    The threads for it are there from the start: at that time none can be started any more (Python 3.12).
    """
    ending = threading.Event()

    def wait(provider: Provider) -> None:
        ending.wait()
        provider.shutdown()

    threads = {
        signal: threading.Thread(target=wait, args=(provider,), name=f"relance-{signal}", daemon=True)
        for signal, provider in providers.items()
    }
    for thread in threads.values():
        thread.start()

    def end() -> None:
        ending.set()
        deadline = time.monotonic() + _PATIENCE_S
        for signal, thread in threads.items():
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                _tell(signal)

    atexit.register(end)
