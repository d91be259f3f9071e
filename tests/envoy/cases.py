"""One gateway for many cases: each has a ladder of its own, and so breakers that no case before it has touched."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from running import Gateway, gateway, plan, route, target
from wire import WireProvider

from fairlead import ir

PATIENT = ir.Breaker(consecutive_failures=1000, open_for_ms=1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Names of models."""

    first: str
    """Whose first rung answers as the case says; another one follows."""
    alone: str
    """Where it is the only one."""


class Cases:
    """The gateway. `first` answers with the bytes of the latest case, `second` with an answer."""

    def __init__(self, direct: int, limited: int) -> None:
        """So many cases there may be, and so many with a first rung behind a bulkhead."""
        self.first, self.second = WireProvider(raw=b"-"), WireProvider()
        self._direct, self._limited = (self._names(*one) for one in (("direct", direct), ("limited", limited)))
        routes, ladders = {}, {}
        second = self._rung("b/e/m", self.second)
        for kind, count in (("direct", direct), ("limited", limited)):
            for case in self._names(kind, count):
                rung = self._rung(f"{case.first}/e/m", self.first, limit=5 if kind == "limited" else None)
                for name, rungs in ((case.first, (rung, second)), (case.alone, (rung,))):
                    ladders[f"team/{name}/0"] = rungs
                    routes[name] = route(f"team/{name}", plan(f"team/{name}/0", last=rung), max_attempts=len(rungs))
        self._whole = gateway(routes, ladders)

    @staticmethod
    def _names(kind: str, count: int) -> Iterator[Case]:
        return (Case(first=f"{kind}-{number}", alone=f"{kind}-{number}-alone") for number in range(count))

    @staticmethod
    def _rung(name: str, provider: WireProvider, *, limit: int | None = None) -> ir.Target:
        upstream = ir.Upstream(host="127.0.0.1", port=provider.port, tls=False, base_path="/v1")
        return target(name, provider, upstream=upstream, breaker=PATIENT, max_in_flight=limit)  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        self.first.__enter__()
        self.second.__enter__()
        self.running = Gateway(self._whole)
        self.running.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.running.__exit__(kind, error, trace)
        self.second.__exit__()
        self.first.__exit__()

    def answer(self, raw: bytes, *, limit: int | None = None) -> Case:
        """Let the first rung of the next case answer so."""
        self.first.raw = raw
        return next(self._limited if limit else self._direct)
