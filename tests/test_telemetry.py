"""OpenTelemetry is told of a job where its variables ask for it: by way of a real receiver on loopback."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.sandbox_talk import talking
from tests.sandboxed_command import run, started

__all__ = ["started"]

ROWS = "Input,Expected behaviors\nA secret sentence,Says hello\nAnother,Says bye\n,Nothing\n"
CALL = ("import", "cases.csv", "--test-set", "Set", "--create-missing", "--yes", "--report", "r", "--settle", "0.2")


class Receiver:
    """What was delivered, by the path it was delivered to."""

    def __init__(self) -> None:
        self.got: dict[str, list[bytes]] = {}
        self.url = ""

    def spans(self) -> list[Any]:
        return [
            span
            for data in self.got["/v1/traces"]
            for resource in ExportTraceServiceRequest.FromString(data).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metrics(self) -> dict[str, Any]:
        return {
            metric.name: metric
            for data in self.got["/v1/metrics"]
            for resource in ExportMetricsServiceRequest.FromString(data).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@contextmanager
def receiving(status: int = 200) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.setdefault(self.path, []).append(body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def facts(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


async def test_a_job_its_requests_and_its_rows_are_told(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(ROWS)
    with receiving() as receiver:
        async with talking() as talk:
            said = await run(tmp_path, talk, *CALL, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
            key = talk.sandbox.key
    assert said.code == 1, said.err
    spans = receiver.spans()
    (whole,) = [span for span in spans if not span.parent_span_id]
    inner = [span for span in spans if span.parent_span_id]
    assert whole.name == "coval-etl import"
    assert facts(whole.attributes)["coval_etl.rows.created"] == 2
    assert facts(whole.attributes)["process.exit.code"] == 1
    assert {span.parent_span_id for span in inner} == {whole.span_id}
    assert [span.name for span in inner].count("POST /test-cases") == 2
    (posted, _) = [facts(span.attributes) for span in inner if span.name == "POST /test-cases"]
    assert posted["http.response.status_code"] == 201
    metrics = receiver.metrics()
    rows = {facts(point.attributes)["outcome"]: point.as_int for point in metrics["coval_etl.rows"].sum.data_points}
    assert rows == {"created": 2, "rejected": 1}
    assert sum(point.count for point in metrics["http.client.request.duration"].histogram.data_points) == len(inner)
    everything = b"".join(data for bodies in receiver.got.values() for data in bodies)
    assert key.encode() not in everything
    assert b"secret sentence" not in everything


@pytest.mark.parametrize("asked", [{}, {"OTEL_SDK_DISABLED": "true"}], ids=["nobody-asks", "disabled"])
async def test_nothing_is_told_unasked(tmp_path: Path, asked: dict[str, str]) -> None:
    (tmp_path / "cases.csv").write_text(ROWS)
    with receiving() as receiver:
        where = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url} if asked else {}
        async with talking() as talk:
            said = await run(tmp_path, talk, *CALL, **asked, **where)
    assert (said.code, receiver.got) == (1, {}), said.err


async def test_a_receiver_that_refuses_is_said_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(ROWS)
    with receiving(status=400) as receiver:
        async with talking() as talk:
            said = await run(tmp_path, talk, *CALL, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert said.code == 1
    assert "Not all traces and metrics could be delivered to OpenTelemetry." in said.err
    assert "Traceback" not in said.err
