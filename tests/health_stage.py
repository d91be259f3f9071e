"""A stage for health: endpoints that behave as they are told, probes and gateways that look, and a clock.

Everything is computed: no randomness, no waiting.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fairlead.health.attempts import Outcome
from fairlead.health.endpoint import Endpoint, Probe, Traffic
from fairlead.health.fleet import Fleet, Transition, judge, transitions
from fairlead.health.region import DrainOrder
from fairlead.statuses import Failure

INTERVAL_MS = 10_000
LOOK_MS = 2_000
OK: Outcome = (200, "-")
REFUSED: Outcome = (0, "UF")
HANGS: Outcome = (0, "UT")
BROKEN: Outcome = (500, "-")
LIMITED: Outcome = (429, "-")
WRONG_KEY: Outcome = (401, "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What an endpoint does at a moment."""

    probe: Failure | None = None
    errors: int = 0
    """Percent of its attempts that fail."""
    outcome: Outcome = REFUSED
    """What those come to."""
    first_byte_ms: int = 250
    requests: int = 0
    """Requests a second that it has at 100 %."""
    nameless: bool = False
    ejected: bool = False
    """Whether gateways leave it out: no attempts come there then."""


WELL = Behaviour()
DEAD = Behaviour(probe=Failure.CONNECTION_FAILED, errors=100)


def endpoint(name: str, region: str = "us-east-1", **fields: object) -> Endpoint:
    """An endpoint with the defaults of the API."""
    plain = Endpoint(
        name=name,
        provider=name.partition("/")[0],
        region=region,
        interval_ms=INTERVAL_MS,
        timeout_ms=2_000,
        unhealthy_threshold=2,
        healthy_threshold=2,
        identity="1",
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


Script = Callable[[str, int], Behaviour]
"""Endpoint (of probes) or target, and second, to what it does."""


@dataclass(kw_only=True)
class Stage:
    """Runs a script against the machine: whenever probes end, and every two seconds, gateways are read."""

    endpoints: Sequence[Endpoint]
    script: Script
    drains: Sequence[DrainOrder] = ()
    models: Sequence[str] = ("model",)
    """That each endpoint serves, all with the same traffic."""
    fleet: Fleet = field(default_factory=Fleet)
    now_ms: int = 0
    changes: list[tuple[int, Transition]] = field(default_factory=list)
    parts: dict[str, float] = field(default_factory=dict)
    each: Callable[[Fleet], Fleet] = lambda fleet: fleet
    """What happens to the memory between two judgements, such as a restart."""

    def run(self, seconds: int) -> "Stage":
        """Let so many seconds pass."""
        end_ms = self.now_ms + 1_000 * seconds
        while self.now_ms < end_ms:
            self.now_ms += 1_000
            looks, probes = self.now_ms % LOOK_MS == 0, self._probes()
            if not looks and not probes:
                continue
            after = judge(
                self.endpoints,
                self.each(self.fleet),
                probes=probes,
                traffic=self._traffic() if looks else (),
                drains=self.drains,
                now_ms=self.now_ms,
            )
            self.changes += [(self.now_ms, one) for one in transitions(self.fleet, after)]
            self.fleet = after
        return self

    def _probes(self) -> list[Probe]:
        found = []
        for number, one in enumerate(self.endpoints):
            phase_ms = 1_000 * (1 + number % (one.interval_ms // 1_000))
            if one.probed and one.used and (self.now_ms - phase_ms) % one.interval_ms == 0:
                failure = self.script(one.name, self.now_ms // 1_000).probe
                found.append(Probe(endpoint=one.name, began_ms=self.now_ms - 10, ended_ms=self.now_ms, failure=failure))
        return found

    def _traffic(self) -> list[Traffic]:
        return [self._at(one, f"{one.name}/{model}") for one in self.endpoints for model in self.models]

    def _at(self, one: Endpoint, target: str) -> Traffic:
        behaves = self.script(target, self.now_ms // 1_000)
        share = self.fleet.endpoints[one.name].share if one.name in self.fleet.endpoints else 100
        count = 0 if behaves.ejected else self._whole(target, behaves.requests * LOOK_MS * share / 100_000)
        failed = self._whole(f"{target}!", count * behaves.errors / 100)
        outcomes: Mapping[Outcome, int] = {OK: count - failed, behaves.outcome: failed}
        return Traffic(
            endpoint=one.name,
            target=target,
            region=one.region or "us-east-1",
            outcomes={outcome: number for outcome, number in outcomes.items() if number},
            ejected=behaves.ejected,
            nameless=behaves.nameless,
            first_byte_ms={behaves.first_byte_ms: count - failed} if count > failed else {},
        )

    def _whole(self, name: str, number: float) -> int:
        """Make whole requests of parts; what is left counts next time."""
        self.parts[name] = self.parts.get(name, 0) + number
        whole = int(self.parts[name])
        self.parts[name] -= whole
        return whole
