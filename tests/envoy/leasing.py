"""A budget server that grants leases as a test wants, and keeps what gateways say."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from gateway import new_folder
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

from fairlead import envoy
from fairlead.adapters.clock import SystemClock
from fairlead.budgetserver import answer
from fairlead.budgetserver.messages import METHOD, SERVICE, Request, Response
from fairlead.envoy import budgets

LOGS, EXPORT = "opentelemetry.proto.collector.logs.v1.LogsService", "Export"
REMAINING = "0.98"
WANT, BACK = -2, -1
"""The last words of a check."""
_WORDS = ("consumer", "id", "model", "bytes", "route", "reservation", "target", "stream", "status", "flags", "attempts")
_BACK = len((*budgets.REPORT, "gateway")) + budgets.ATTEMPTS.index(budgets.batches.BACK)


class Report(dict[str, str]):
    """The first words of a report, and what it gives back."""

    def __init__(self, value: str) -> None:
        words = value.split(" ; ", maxsplit=1)[0].split(" ")
        super().__init__(zip(_WORDS, words, strict=False))
        self["back"] = words[_BACK] or "-"


class LeaseServer:
    """Grants `units` to each check that asks for some, `granted` leases so far; refuses all while `refusal` is set.

    While it is `silent`, no check is answered.
    """

    def __init__(self) -> None:
        self.units, self.life_s, self.revision = 10_000, 3600, "r1"
        self.refusal: bytes | None = None
        self.silent = False
        self.checks: list[list[str]] = []
        self.called: list[Report] = []
        self.batched: list[Report] = []
        self.granted = 0
        folder: Path = new_folder()
        self.address = f"unix:{folder}/rpc.sock"
        self.start()

    @property
    def server(self) -> envoy.BudgetServer:
        return envoy.BudgetServer(rpc=self.address, usage=self.address)

    def start(self) -> None:
        limit = grpc.unary_unary_rpc_method_handler(self._limit, request_deserializer=Request.FromString)
        export = grpc.unary_unary_rpc_method_handler(
            self._export, request_deserializer=logs_service_pb2.ExportLogsServiceRequest.FromString
        )
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(SERVICE, {METHOD: limit}),
                grpc.method_handlers_generic_handler(LOGS, {EXPORT: export}),
            )
        )
        self._server.add_insecure_port(self.address)
        self._server.start()

    def stop(self) -> None:
        self._server.stop(0).wait()

    def of(self, request: str) -> list[str]:
        """How a request was reported: each time."""
        called = ["called" for one in tuple(self.called) if one["id"] == request]
        return called + ["batched" for one in tuple(self.batched) if one["id"] == request]

    def _limit(self, request: Any, context: grpc.ServicerContext) -> bytes:
        entry = request.descriptors[0].entries[0]
        if entry.key != "check":
            self.called.append(Report(entry.value))
            return answer.NOTED
        words = entry.value.split(" ")
        self.checks.append(words)
        if self.silent:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no answer")
        if self.refusal is not None:
            return self.refusal
        granted = answer.granted(words[1], 990_000_000, None)
        if words[WANT] == "-":
            return granted
        self.granted += 1
        _, size, limit, answers = words[WANT].split(",")
        lease = Response()
        ends = int(SystemClock().now().timestamp()) + self.life_s
        words = f"{self.granted:04x} {self.units} {ends} {size} {limit} {answers} {self.revision} {REMAINING}"
        lease.dynamic_metadata["lease"] = words
        return granted + bytes(lease.SerializeToString())

    def _export(self, request: Any, _context: grpc.ServicerContext) -> bytes:
        records = [
            record
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]
        self.batched += [Report(record.body.string_value) for record in records]
        return b""
