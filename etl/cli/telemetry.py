"""Traces and metrics of a command for OpenTelemetry, where its extra is installed and its variables say where to.

It must never hold a key, a body or a cell, and never stops a job: what cannot be delivered is said once, at the end.
The variables are OpenTelemetry's own (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/);
names of attributes and metrics follow its conventions for HTTP clients.
"""

import logging
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self

from etl.version import __version__

if TYPE_CHECKING:
    from etl.api import Answer, NoAnswer
    from etl.report import Summary

_WHERE = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
_SECOND_NS = 1_000_000_000
_QUEUED_SPANS = 1 << 16
"""So many wait for delivery; what comes when they are that many is left out."""
_FLUSH_MS = 10_000
_REFUSED = 400


def open_telemetry(environment: Mapping[str, str], command: str, warn: Callable[[str], None]) -> "Telemetry | None":
    """What a command tells OpenTelemetry; None where nobody asked for it, or its extra is not installed."""
    asked = any(environment.get(name) for name in _WHERE)
    if not asked or environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or not all(map(_is_there, _NEEDED)):
        return None
    return Telemetry(command, warn)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


class Telemetry:
    """One span for the command, one inside it for each request, and their durations and the rows' outcomes as metrics.

    `close` delivers what is left, for at most ten seconds each.
    """

    def __init__(self, command: str, warn: Callable[[str], None]) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._warn = warn
        self._failures = _Failures()
        resource = Resource.create({"service.name": "coval-etl", "service.version": __version__})
        self._spans = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=_QUEUED_SPANS))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        self._metrics = MeterProvider([reader], resource, shutdown_on_exit=False)
        meter = self._metrics.get_meter("coval-etl", __version__)
        self._took = meter.create_histogram("http.client.request.duration", "s", "Time to the API's answer")
        self._rows = meter.create_counter("coval_etl.rows", "{row}", "Rows by what became of them")
        self._tracer = self._spans.get_tracer("coval-etl", __version__)
        self._whole = self._tracer.start_span(f"coval-etl {command}")
        self._inside = trace.set_span_in_context(self._whole)

    def request(self, method: str, path: str, outcome: "Answer | NoAnswer") -> None:
        """One request that was made, however it ended."""
        from opentelemetry.trace import SpanKind, Status, StatusCode

        status = getattr(outcome, "status", None)
        kind = {"http.request.method": method}
        kind |= {"error.type": str(getattr(outcome, "cause", ""))} if status is None else {}
        known: dict[str, Any] = kind if status is None else {**kind, "http.response.status_code": status}
        ended_ns = time.time_ns()
        begun_ns = ended_ns - round(outcome.elapsed_s * _SECOND_NS)
        name = f"{method} /{path.strip('/').split('/')[0]}"
        facts = {**known, "url.path": path}
        span = self._tracer.start_span(name, self._inside, SpanKind.CLIENT, facts, start_time=begun_ns)
        if status is None or status >= _REFUSED:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended_ns)
        self._took.record(outcome.elapsed_s, known)

    def ended(self, job: str | None, summary: "Summary") -> None:
        """What became of the rows."""
        told: Any = summary.to_json()
        for outcome, count in told["rows"].items():
            if outcome != "read" and count:
                self._rows.add(count, {"outcome": outcome})
            self._whole.set_attribute(f"coval_etl.rows.{outcome}", count)
        self._whole.set_attribute("coval_etl.job", job or "")
        self._whole.set_attribute("process.exit.code", told["exit_code"])

    def close(self, *, failed: bool) -> None:
        """End the command's span and deliver everything."""
        from opentelemetry.trace import Status, StatusCode

        if failed:
            self._whole.set_status(Status(StatusCode.ERROR))
        self._whole.end()
        with self._failures as failures:
            self._spans.force_flush(_FLUSH_MS)
            self._spans.shutdown()
            self._metrics.shutdown(_FLUSH_MS)
        if failures.seen:
            self._warn("Not all traces and metrics could be delivered to OpenTelemetry. The command is not touched.")


class _Failures(logging.Handler):
    """What OpenTelemetry logs: it tells of failures in no other way. Nothing of it is printed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen = False
        self._logger = logging.getLogger("opentelemetry")
        self._before = self._logger.propagate
        self._logger.addHandler(self)
        self._logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002  (what is said may hold an address with a password)
        self.seen = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._before
