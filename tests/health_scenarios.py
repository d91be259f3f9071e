"""What happens to endpoints, one scenario each: goldens and the page of timelines are made from these."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fairlead.health.endpoint import Endpoint
from fairlead.health.region import DrainKind, DrainOrder
from fairlead.statuses import Failure
from health_stage import (
    BROKEN,
    DEAD,
    HANGS,
    LIMITED,
    WELL,
    WRONG_KEY,
    Behaviour,
    Script,
    Stage,
    endpoint,
)

US, EU = "us-east-1", "eu-west-1"
PAIR = (endpoint("a/us", US), endpoint("a/eu", EU), endpoint("b/us", US))
REQUESTS = 10
"""A second, at each endpoint, where there is traffic."""
BEGINS = 100
"""When things begin to go wrong."""
_PLAYED: dict[str, Stage] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One story."""

    name: str
    title: str
    happens: Sequence[tuple[str, int, int]]
    """What is done to them, from and to which second."""
    seconds: int
    script: Script
    endpoints: Sequence[Endpoint] = PAIR
    drains: Sequence[DrainOrder] = ()
    models: Sequence[str] = ("model",)
    shown: Sequence[str] = ("a/us",)
    """Endpoints in the diagram."""

    def run(self) -> Stage:
        """Play it, once for all who look."""
        if self.name in _PLAYED:
            return _PLAYED[self.name]
        stage = Stage(endpoints=self.endpoints, script=self.script, drains=self.drains, models=self.models)
        return _PLAYED.setdefault(self.name, stage.run(self.seconds))


def at(name: str, bad: Behaviour, begin: int = BEGINS, end: int = 300, *, requests: int = 0) -> Script:
    """Something is bad at everything whose name begins so, for a time."""

    def script(where: str, second: int) -> Behaviour:
        found = bad if where.startswith(name) and begin <= second < end else WELL
        return replace(found, requests=requests)

    return script


def flapping(period: int, begin: int, end: int) -> Script:
    """It is dead for a period, and well for one."""

    def script(where: str, second: int) -> Behaviour:
        bad = where.startswith("a/us") and begin <= second < end and ((second - begin) // period) % 2 == 0
        return replace(DEAD if bad else WELL, requests=REQUESTS)

    return script


REGIONAL = (*PAIR, endpoint("b/eu", EU), endpoint("c/eu", EU), endpoint("c/us", US))
HUNG = Behaviour(probe=Failure.TIMED_OUT, errors=100, outcome=HANGS)


def of(*names: str) -> Callable[[Behaviour], Script]:
    """Return what makes several endpoints bad at once."""

    def make(bad: Behaviour) -> Script:
        return lambda where, second: bad if where.startswith(names) and BEGINS <= second < 300 else WELL

    return make


SCENARIOS = (
    Scenario(
        name="killed",
        title="An endpoint dies under traffic",
        happens=[("refuses connections", 100, 300)],
        seconds=450,
        script=at("a/us", DEAD, requests=REQUESTS),
    ),
    Scenario(
        name="hangs-unnoticed",
        title="An endpoint hangs, and nobody asks it anything",
        happens=[("hangs", 100, 300)],
        seconds=450,
        script=at("a/us", HUNG),
    ),
    Scenario(
        name="brown-out",
        title="A third of the requests fail",
        happens=[("33 % answer 500", 100, 300)],
        seconds=450,
        script=at("a/us", Behaviour(errors=33, outcome=BROKEN), requests=REQUESTS),
    ),
    Scenario(
        name="rate-limited",
        title="A rate limit answers everything",
        happens=[("all answer 429", 100, 300)],
        seconds=450,
        script=at("a/us", Behaviour(errors=100, outcome=LIMITED), requests=REQUESTS),
    ),
    Scenario(
        name="slow",
        title="Streams begin twenty times as late",
        happens=[("first byte after 5 s, 0.25 s before", 300, 500)],
        seconds=700,
        script=at("a/us", Behaviour(first_byte_ms=5000), 300, 500, requests=REQUESTS),
    ),
    Scenario(
        name="slow-for-good",
        title="Slow for longer than ten minutes is the new measure",
        happens=[("first byte after 5 s, 0.25 s before", 300, 1500)],
        seconds=1500,
        script=at("a/us", Behaviour(first_byte_ms=5000), 300, 1500, requests=REQUESTS),
    ),
    Scenario(
        name="wrong-key",
        title="A wrong key, which a probe without a credential does not see",
        happens=[("all answer 401", 100, 400)],
        seconds=700,
        script=at("a/us", Behaviour(errors=100, outcome=WRONG_KEY), 100, 400, requests=REQUESTS),
    ),
    Scenario(
        name="flaps-quickly",
        title="An endpoint comes and goes every three seconds",
        happens=[("dead and well by turns of 3 s", 100, 220)],
        seconds=400,
        script=flapping(3, 100, 220),
    ),
    Scenario(
        name="flaps-slowly",
        title="An endpoint comes and goes every minute: each return that fails waits twice as long",
        happens=[("dead and well by turns of 60 s", 100, 1500)],
        seconds=1800,
        script=flapping(60, 100, 1500),
    ),
    Scenario(
        name="region-down",
        title="Most of a region is down: the rest of it moves at once",
        happens=[("a/eu and b/eu refuse connections", 100, 300)],
        seconds=500,
        endpoints=REGIONAL,
        script=of("a/eu", "b/eu")(DEAD),
        shown=("a/eu", "b/eu", "c/eu"),
    ),
    Scenario(
        name="observer-cut-off",
        title="Whoever asks is cut off: probes move nothing",
        happens=[("no probe comes through", 100, 300)],
        seconds=450,
        script=lambda where, second: DEAD if where.count("/") == 1 and 100 <= second < 300 else WELL,
        shown=("a/us", "a/eu", "b/us"),
    ),
    Scenario(
        name="cut-off-and-dead",
        title="Whoever asks is cut off, and an endpoint dies: real traffic decides",
        happens=[("no probe comes through", 100, 500), ("a/us refuses connections", 200, 300)],
        seconds=600,
        script=lambda where, second: replace(
            DEAD
            if (where.count("/") == 1 and 100 <= second < 500) or (where.startswith("a/us") and 200 <= second < 300)
            else WELL,
            requests=REQUESTS,
        ),
    ),
    Scenario(
        name="probes-alone-fail",
        title="Probes fail and real traffic goes well: traffic outweighs",
        happens=[("its probes get 503", 100, 300)],
        seconds=400,
        script=lambda where, second: replace(
            Behaviour(probe=Failure.SERVER_ERROR) if where == "a/us" and 100 <= second < 300 else WELL,
            requests=REQUESTS,
        ),
    ),
    Scenario(
        name="one-model",
        title="One model of three fails: that target is ejected, and the endpoint stays",
        happens=[("model-1 answers 500", 100, 300)],
        seconds=400,
        endpoints=tuple(replace(one, models=3) for one in PAIR),
        models=("model-1", "model-2", "model-3"),
        script=at("a/us/model-1", Behaviour(errors=100, outcome=BROKEN), requests=REQUESTS),
    ),
    Scenario(
        name="no-probes",
        title="Without probes, real traffic alone decides, and time brings back",
        happens=[("refuses connections", 100, 200)],
        seconds=450,
        endpoints=(endpoint("a/us", US, probed=False), *PAIR[1:]),
        script=at("a/us", DEAD, 100, 200, requests=REQUESTS),
    ),
    Scenario(
        name="no-address",
        title="A name leads to no address",
        happens=[("gateways find no address", 100, 300)],
        seconds=450,
        script=at("a/us/", Behaviour(nameless=True, ejected=False), requests=0),
    ),
    Scenario(
        name="drain",
        title="An endpoint is drained for five minutes, over one",
        happens=[("fairlead drain endpoint a/us --for 5m --over 1m", 100, 400)],
        seconds=550,
        script=at("none", DEAD, requests=REQUESTS),
        drains=[DrainOrder(kind=DrainKind.ENDPOINT, name="a/us", began_ms=100_000, until_ms=400_000, over_ms=60_000)],
    ),
)
