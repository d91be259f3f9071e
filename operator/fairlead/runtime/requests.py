"""What became of requests, attempt by attempt, out of the lines of access logs. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.budget.attempt import Attempt as Uncounted
from fairlead.budget.price import NO_TOKENS, Price, Tokens, cost, decimal
from fairlead.budget.unit import Unit
from fairlead.envoy.log_lines import Line
from fairlead.health import attempts
from fairlead.ir.classifier import NO_CATEGORY
from fairlead.statuses import Failure, meaning

Json = dict[str, Any]
COMPLETE = frozenset({1, 4})
"""`usage_status` of an answer whose provider counted both sides."""
_ERROR = 400
_UNITS = {unit.name.lower(): unit for unit in Unit}
"""By the word of a line."""
_SECOND_MS = 1000
_BY_FLAG = {
    "DC": "the client left",
    "DR": "the client left",
    "UO": "so many requests are under way there that it takes no more (`maxInFlight`)",
    "NR": "nothing answers this name",
    "RL": "a budget refuses it",
    "UAEX": "the caller may not",
}
_BY_REFUSAL = {"too_many_in_flight": "its consumer has as many requests in flight as it may have (`maxInFlight`)"}
"""Why a request was refused, if not for dollars."""
_OWN = {
    400: "the gateway cannot take the request as it is",
    401: "the gateway knows no such key",
    404: "the gateway serves no such name to this caller, or no such path",
    413: "it is larger than `limits.requestBytes`",
    429: "a budget has no room for it",
    503: "nothing could be reached",
}
"""What the gateway says by itself."""
_BY_FAILURE = {
    Failure.CONNECTION_FAILED: "no connection",
    Failure.TIMED_OUT: "no answer in time",
    Failure.CONNECTION_CUT: "the connection ended before the answer was whole",
    Failure.NO_HTTP: "what it sent is no HTTP",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, and its attempts in order."""

    line: Line | None
    """Its end; None where it has not ended, or its line is lost."""
    attempts: tuple[Line, ...]
    shadows: tuple[Line, ...]

    @property
    def id(self) -> str:
        """Its `x-request-id`."""
        return self.first.request_id

    @property
    def began(self) -> str:
        """When, RFC 3339."""
        return self.first.ts

    @property
    def first(self) -> Line:
        """The line that knows most of it."""
        return self.line or next(iter(self.attempts or self.shadows))

    @property
    def consumer(self) -> str:
        """Who asked."""
        return self.first.consumer

    @property
    def route(self) -> str:
        """What was to answer; empty where the gateway answers itself."""
        return self.first.route if "/" in self.first.route else ""

    @property
    def is_whole(self) -> bool:
        """Whether it ended, and all attempts that its end counts are here."""
        return self.line is not None and len(self.attempts) >= (self.line.attempts or 0)

    @property
    def had_trouble(self) -> bool:
        """Whether it failed, or needed a second rung."""
        if self.line is None:
            return any(attempts.failure((one.status, one.flags)) is not None for one in self.attempts)
        line = self.line
        broken = line.flags != "-" and line.status < _ERROR
        return line.status >= _ERROR or line.status == 0 or broken or (line.attempts or 0) > 1


def gathered(lines: Iterable[Line]) -> list[Request]:
    """Put lines together by request, in the order in which requests began."""
    found: dict[tuple[str, str], dict[str, list[Line]]] = {}
    for line in lines:
        if line.request_id:
            found.setdefault((line.gateway_region, line.request_id), {}).setdefault(line.kind, []).append(line)
    requests = [
        Request(
            line=kinds["request"][-1] if "request" in kinds else None,
            attempts=tuple(sorted(kinds.get("attempt", ()), key=lambda one: (one.attempt or 0, one.ts))),
            shadows=tuple(kinds.get("shadow", ())),
        )
        for kinds in found.values()
    ]
    return sorted(requests, key=lambda one: one.began)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which requests a person wants to see; `namespace/name`, or a name of any namespace."""

    request_id: str | None = None
    route: str | None = None
    consumer: str | None = None
    errors: bool = False

    def matches(self, request: Request) -> bool:
        """Tell whether a request is one of them."""
        return (
            self.request_id in (None, request.id)
            and _is_named(self.route, request.route)
            and _is_named(self.consumer, request.consumer)
            and (not self.errors or request.had_trouble)
        )


def _is_named(wanted: str | None, found: str) -> bool:
    return wanted is None or wanted in (found, found.rpartition("/")[2])


def document(request: Request, prices: Mapping[str, Price]) -> Json:
    """Describe a request; `prices` by target.

    Dollars are strings, and null where nobody counted, or no price is known.
    """
    line = request.line
    counted = line is not None and (line.usage_status is not None or line.units is not None)
    served = line.target if line is not None and counted else ""
    made = request.attempts
    used = _used(line, prices)
    number = max((index for index, one in enumerate(made) if one.target == served), default=-1)
    return {
        "requestID": request.id,
        "began": request.began,
        "gateway": request.first.gateway_region,
        "consumer": request.consumer or None,
        "route": request.route or None,
        "model": request.first.model or None,
        "stream": request.first.stream,
        "rule": (line.rule or None) if line is not None else None,
        "category": (line.category or None) if line is not None else None,
        "classified": (line.classified or None) if line is not None else None,
        "status": line.status if line is not None else None,
        "outcome": _ending(request),
        "milliseconds": line.latency_ms if line is not None else None,
        "firstByteMilliseconds": line.first_byte_ms if line is not None else None,
        "target": (line.target or None) if line is not None else None,
        **used,
        "attempts": [
            _attempt(one, index, used if index == number else _used(None, prices), made)
            for index, one in enumerate(made)
        ],
        "shadows": [{"target": one.target, "status": one.status, **_used(one, prices)} for one in request.shadows],
    }


def _attempt(one: Line, index: int, used: Json, made: Sequence[Line]) -> Json:
    failure = attempts.failure((one.status, one.flags))
    refused = failure is Failure.CONNECTION_FAILED
    unmade = Uncounted(target=one.target, status=one.status, elapsed_ms=one.latency_ms)
    return {
        "number": one.attempt or index + 1,
        "target": one.target or None,
        "region": one.region or None,
        "status": one.status,
        "milliseconds": one.latency_ms,
        "firstByteMilliseconds": one.first_byte_ms,
        "failure": failure.value if failure is not None else None,
        "why": why(one),
        "next": made[index + 1].target if index + 1 < len(made) else None,
        **used,
        "possiblyBilled": used["usd"] is None and not refused and unmade.is_possibly_billed,
    }


def why(line: Line) -> str | None:
    """Say why an attempt, or a request, did not go well; None where it did."""
    for flag in line.flags.split(","):
        if flag in _BY_FLAG:
            return _BY_FLAG[flag]
    failure = attempts.failure((line.status, line.flags))
    said = meaning(line.status)
    if failure in _BY_FAILURE and (said is None or said.failure is not failure):
        more = f" ({line.details})" if line.kind == "attempt" and line.details else ""
        return f"{_BY_FAILURE[failure]}{more}"
    if said is not None:
        return f"answered {line.status}: {said.why}"
    return f"answered {line.status}: that is the request's own" if line.status >= _ERROR else None


def _ending(request: Request) -> str | None:
    """Say how a request ended where no provider's answer says it."""
    line = request.line
    if line is None:
        return "has not ended, or its end is lost"
    if line.target:
        return why(line)
    if line.refused in _BY_REFUSAL:
        return _BY_REFUSAL[line.refused]
    return _BY_FLAG.get(line.flags) or _OWN.get(line.status) or f"the gateway's own answer: {line.details or '-'}"


def _used(line: Line | None, prices: Mapping[str, Price]) -> Json:
    """Say what a line counts, and what that costs."""
    tokens = _tokens(line) if line is not None else None
    units = _units(line) if line is not None else None
    price = prices.get(line.target) if line is not None else None
    nano = None if price is None else _cost(price, tokens, units)
    return {
        "tokens": None if tokens is None else {name: getattr(tokens, name) for name in ("input", "output", "cached")},
        "units": None if units is None else {"unit": units[0].name.lower(), "count": units[1]},
        "usd": None if nano is None else decimal(nano),
    }


def _tokens(line: Line) -> Tokens | None:
    if line.usage_status not in COMPLETE or line.prompt_tokens is None or line.completion_tokens is None:
        return None
    return Tokens(
        input=line.prompt_tokens,
        output=line.completion_tokens,
        cached=line.cached_tokens or 0,
        cache_write=line.cache_write_tokens,
        cache_write_1h=line.cache_write_1h_tokens,
        audio_input=line.audio_input_tokens,
        audio_output=line.audio_output_tokens,
        image_input=line.image_input_tokens,
    )


def _units(line: Line) -> tuple[Unit, int] | None:
    unit = _UNITS.get(line.unit)
    return (unit, line.units) if unit is not None and line.units else None


def _cost(price: Price, tokens: Tokens | None, units: tuple[Unit, int] | None) -> int | None:
    """Return nano-dollars; None where something that costs was not counted."""
    if price.by_units and units is None:
        return None
    unit, count = units if units is not None and price.of(units[0]) is not None else (None, 0)
    if price.by_tokens or unit is None:
        return None if tokens is None else cost(price, tokens, unit, count)
    return cost(price, NO_TOKENS, unit, count)


def lines(described: Json, *, whole: bool) -> list[str]:
    """Write a request for a person: one line, and one for each attempt where there is more to say (or all: `whole`)."""
    who = described["consumer"] or "(unknown caller)"
    asked = f"{described['route'] or described['model'] or '-'}"
    status = "..." if described["status"] is None else str(described["status"] or "cut")
    parts = [
        described["began"][:23].replace("T", " ").rstrip("Z"),
        f"{described['gateway']:<14}",
        f"{status:>3}",
        f"{asked:<24}",
        f"{who:<24}",
        f"{_ms(described['milliseconds']):>8}",
        _chosen(described),
        _spent(described),
        described["requestID"],
    ]
    written = ["  ".join(part for part in parts if part)]
    made = described["attempts"]
    if described["outcome"] and not made:
        written.append(f"    {described['outcome']}")
    if whole or len(made) > 1 or any(one["why"] for one in made):
        written += [f"    {_attempt_line(one)}" for one in made]
        if described["outcome"] and made and described["status"] is None:
            written.append(f"    {described['outcome']}")
    if whole:
        written += [f"    shadow {one['target']}  {one['status']}  {_spent(one)}" for one in described["shadows"]]
    return written


def _chosen(described: Json) -> str:
    """Say which rule applied, and which category."""
    rule = f"rule {described['rule']}" if described["rule"] else ""
    if not described["category"]:
        return rule
    why = "" if described["category"] != NO_CATEGORY else f" ({described['classified']})"
    return f"{rule}, category {described['category']}{why}"


def _attempt_line(one: Json) -> str:
    first = f"first byte {_ms(one['firstByteMilliseconds'])}" if one["firstByteMilliseconds"] is not None else ""
    billed = "may be billed" if one["possiblyBilled"] and one["why"] else ""
    parts = [f"{one['number']}. {one['target'] or '-'}", str(one["status"] or "-"), _ms(one["milliseconds"]), first]
    parts += [_spent(one), one["why"] or "", billed]
    return "  ".join(part for part in parts if part) + (f"  -> {one['next']}" if one["next"] else "")


def _ms(value: int | None) -> str:
    return "" if value is None else f"{value:,} ms"


def _spent(one: Json) -> str:
    tokens, usd = one["tokens"], one["usd"]
    counted = f"{tokens['input']}+{tokens['output']} tokens" if tokens else ""
    parts = (counted, _made(one["units"]), f"${usd}" if usd is not None else "")
    return "  ".join(part for part in parts if part)


def _made(units: Json | None) -> str:
    """Say how many units: `3 images`, `2.5 s of audio`."""
    if units is None:
        return ""
    count = units["count"]
    if units["unit"] == Unit.MILLISECOND.name.lower():
        return f"{count / _SECOND_MS:g} s of audio"
    word = {"search": "searches"}.get(units["unit"], f"{units['unit']}s")
    return f"{count} {units['unit'] if count == 1 else word}"
