"""Spans and metrics as an OTLP receiver gets them, by gRPC and by HTTP, read with OTLP's own protos."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import grpc
import otlp
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from running import REGION, ROUTE, Gateway, credential, simple, target

from fairlead import ir
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

PROMPT = "the very secret prompt"
PARENT, TRACE = "00f067aa0ba902b7", "4bf92f3577b34da6a3ce929d0e0e4736"
WITHIN_S = 60.0  # the machine may be busy


class Receiver:
    """Keeps what comes, and what is wrong with it."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.metrics: list[Any] = []
        self.raw: list[bytes] = []
        self.resources: list[dict[str, str]] = []
        self.complaints: list[str] = []
        """What the protocol's specification forbids."""

    def traces(self, request: trace_service_pb2.ExportTraceServiceRequest) -> None:
        self.raw.append(request.SerializeToString())
        self.complaints += otlp.complaints_of_traces(request)
        for one in request.resource_spans:
            self.resources.append(attributes(one.resource))
            self.spans += [span for scope in one.scope_spans for span in scope.spans]

    def measured(self, request: metrics_service_pb2.ExportMetricsServiceRequest) -> None:
        self.raw.append(request.SerializeToString())
        self.complaints += otlp.complaints_of_metrics(request)
        for one in request.resource_metrics:
            self.resources.append(attributes(one.resource))
            self.metrics += [metric for scope in one.scope_metrics for metric in scope.metrics]

    def points(self, name: str) -> list[Any]:
        """The latest data points of a histogram, by their attributes."""
        found = {}
        for metric in self.metrics:
            if metric.name == name:
                for point in metric.histogram.data_points:
                    found[str(sorted(attributes(point).items()))] = point
        return list(found.values())


def attributes(one: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in one.attributes}


def eventually(ask: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WITHIN_S
    while not (found := ask()):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.05)
    return found


@contextmanager
def by_grpc(receiver: Receiver) -> Iterator[int]:
    class Traces(trace_service_pb2_grpc.TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802  gRPC's names
            receiver.traces(request)
            return trace_service_pb2.ExportTraceServiceResponse()

    class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
            receiver.measured(request)
            return metrics_service_pb2.ExportMetricsServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


@contextmanager
def by_http(receiver: Receiver) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            assert self.headers["transfer-encoding"] == "chunked"
            body = b"".join(iter(self.chunk, b""))
            assert self.headers["content-type"] == "application/x-protobuf"
            if self.path == "/v1/traces":
                receiver.traces(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
            elif self.path == "/v1/metrics":
                receiver.measured(metrics_service_pb2.ExportMetricsServiceRequest.FromString(body))
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def chunk(self) -> bytes:
            found = self.rfile.read(int(self.rfile.readline(), 16))
            self.rfile.readline()
            return found

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def provider() -> Iterator[SimulatedProvider]:
    with SimulatedProvider(models=("v-m", "v-n"), keys=("first-key",)) as running:
        yield running


@pytest.fixture(scope="module", params=["grpc", "http"])
def served(request: pytest.FixtureRequest, provider: SimulatedProvider) -> Iterator[tuple[Gateway, Receiver]]:
    receiver = Receiver()
    with (by_grpc if request.param == "grpc" else by_http)(receiver) as port:
        rungs = [target(f"acme/fra/{name}", provider, wire_model=f"v-{name}", credential="first/key") for name in "mn"]
        told = ir.Telemetry(host="127.0.0.1", port=port, grpc=request.param == "grpc", sample=10_000)
        with Gateway(
            replace(simple(*rungs, credentials=(credential("first"),)), telemetry=told), tells_soon=True
        ) as gateway:
            yield gateway, receiver
    assert receiver.complaints == []
    assert receiver.spans
    assert receiver.metrics


def spans_of(receiver: Receiver, request_id: str) -> list[Any]:
    """The span of a request and those below it, the request's first."""
    roots = [span for span in receiver.spans if attributes(span).get("guid:x-request-id") == request_id]
    if not roots:
        return []
    below = [span for span in receiver.spans if span.trace_id == roots[0].trace_id and span not in roots]
    return [*roots[:1], *sorted(below, key=lambda span: span.start_time_unix_nano)]


def test_a_span_for_the_request_and_a_child_for_each_attempt(
    served: tuple[Gateway, Receiver], provider: SimulatedProvider
) -> None:
    gateway, receiver = served
    provider.control.clear()
    provider.control.fault(status=503, model="v-m", count=1)
    answer = gateway.ask(path="/v1/chat/completions?key=in-the-query", messages=[{"role": "user", "content": PROMPT}])
    assert answer.status == 200
    spans = eventually(lambda: len(found := spans_of(receiver, answer.headers["x-request-id"])) == 3 and found)
    asked, first, second = spans
    told = attributes(asked)
    assert {name: told[name] for name in told if name.startswith(("gen_ai.", "fairlead.", "url."))} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "chat",
        "gen_ai.response.model": "n",
        "gen_ai.usage.input_tokens": 6,
        "gen_ai.usage.output_tokens": 12,
        "fairlead.route": ROUTE,
        "fairlead.target": "acme/fra/n",
        "fairlead.consumer": "team/alice",
        "fairlead.attempts": 2,
        "url.path": "/v1/chat/completions",
    }
    assert [attributes(span)["http.status_code"] for span in (first, second)] == ["503", "200"]
    assert [attributes(span)["fairlead.target"] for span in (first, second)] == ["acme/fra/m", "acme/fra/n"]
    assert [span.name for span in spans] == ["chat", "attempt acme/fra/m", "attempt acme/fra/n"]
    assert {first.parent_span_id, second.parent_span_id} == {asked.span_id}
    provider.control.clear()


def test_a_caller_s_trace_goes_on_through_the_gateway_to_the_provider(
    served: tuple[Gateway, Receiver], provider: SimulatedProvider
) -> None:
    gateway, receiver = served
    provider.control.reset()
    answer = gateway.ask(headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    asked, attempt = eventually(lambda: len(found := spans_of(receiver, answer.headers["x-request-id"])) == 2 and found)
    assert (asked.trace_id.hex(), asked.parent_span_id.hex()) == (TRACE, PARENT)
    (record,) = provider.control.requests()
    assert header(record.headers, "traceparent") == f"00-{TRACE}-{attempt.span_id.hex()}-01"


def header(headers: Any, name: str) -> str | None:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return next((value for key, value in pairs if key.lower() == name), None)


def test_histograms_under_the_names_of_the_conventions(
    served: tuple[Gateway, Receiver], provider: SimulatedProvider
) -> None:
    gateway, receiver = served
    provider.control.clear()
    assert gateway.ask(stream=True).status == 200
    assert gateway.ask("nobody-serves-this").status == 404

    def kinds_of(name: str, key: str) -> set[Any]:
        return {attributes(point).get(key) for point in receiver.points(name)}

    # Envoy sends every five seconds, also in the middle of these: each series may come with another report.
    eventually(lambda: kinds_of("gen_ai.client.operation.duration", "error.type") >= {None, "404"})
    eventually(lambda: kinds_of("gen_ai.client.token.usage", "gen_ai.token.type") >= {"input", "output"})
    first = eventually(lambda: receiver.points("gen_ai.server.time_to_first_token"))
    assert [attributes(point)["gen_ai.operation.name"] for point in first] == ["chat"]
    tokens = eventually(lambda: receiver.points("gen_ai.client.token.usage"))
    kinds = {attributes(point)["gen_ai.token.type"] for point in tokens}
    assert kinds == {"input", "output"}
    point = next(point for point in tokens if attributes(point)["gen_ai.token.type"] == "output")
    assert point.sum == pytest.approx(12 * point.count, rel=0.1), "Envoy keeps histograms, not sums"
    assert list(point.explicit_bounds) == [4.0**i for i in range(14)]
    assert list(first[0].explicit_bounds) == [10.0 * 2**i for i in range(14)]
    assert {metric.unit for metric in receiver.metrics} == {""}, "Envoy names none: the documentation does"
    durations = eventually(lambda: receiver.points("gen_ai.client.operation.duration"))
    errors = {attributes(point).get("error.type") for point in durations}
    assert errors == {None, "404"}
    assert not [point for point in durations if "nobody-serves-this" in str(attributes(point))]
    assert {"service.name": "fairlead-gateway", "fairlead.region": REGION}.items() <= receiver.resources[-1].items()
    assert {metric.name.split(".")[0] for metric in receiver.metrics} == {"gen_ai"}, "no other series is sent"


def test_nothing_secret_is_sent(served: tuple[Gateway, Receiver]) -> None:
    gateway, receiver = served
    answer = gateway.ask(path="/v1/chat/completions?key=in-the-query", messages=[{"role": "user", "content": PROMPT}])
    eventually(lambda: spans_of(receiver, answer.headers["x-request-id"]))
    replied = json.loads(answer.body)["choices"][0]["message"]["content"]
    assert replied
    everything = b"".join(receiver.raw)
    for secret in (PROMPT, replied, "sk-alice", "first-key", "in-the-query"):
        assert secret.encode() not in everything


def test_a_share_is_sampled_and_a_sampled_caller_is_followed_all_the_same(provider: SimulatedProvider) -> None:
    receiver = Receiver()
    with by_grpc(receiver) as port:
        rung = target("acme/fra/m", provider, wire_model="v-m", credential="first/key")
        told = ir.Telemetry(host="127.0.0.1", port=port, grpc=True, sample=0)
        with Gateway(
            replace(simple(rung, credentials=(credential("first"),)), telemetry=told), tells_soon=True
        ) as gateway:
            for headers in ({}, {"x-client-trace-id": "1"}, {"x-envoy-force-trace": "1"}):
                assert gateway.ask(headers=headers).status == 200
            assert gateway.ask(headers={"traceparent": f"00-{TRACE}-{PARENT}-00"}).status == 200
            followed = gateway.ask(headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
            eventually(lambda: len(spans_of(receiver, followed.headers["x-request-id"])) == 2)
    assert {span.trace_id.hex() for span in receiver.spans} == {TRACE}
    assert len(receiver.spans) == 2


def test_a_receiver_that_is_away_costs_a_request_nothing(provider: SimulatedProvider) -> None:
    rung = target("acme/fra/m", provider, wire_model="v-m", credential="first/key")
    told = ir.Telemetry(host="127.0.0.1", port=1, grpc=False, sample=10_000)
    with Gateway(replace(simple(rung, credentials=(credential("first"),)), telemetry=told)) as gateway:
        assert [gateway.ask().status for _ in range(20)] == [200] * 20
