"""Installations that are hard to show: many routes, long names, everything down, a rollout, every state at once."""

from dataclasses import replace

from stages import NOW_MS, Stage

import builders
from builders import EU_CENTRAL, EU_WEST, US, endpoint, model, provider, route, target
from fairlead.health.counted import Counted, RouteCounts, counted
from fairlead.health.endpoint import Cause, EndpointHealth, State
from fairlead.rollout import machine
from fairlead.rollout.observation import Observation
from fairlead.rollout.plan import Plan
from fairlead.rollout.tally import ArmCounts, Tally
from fairlead.statuses import Failure

LONG = "a-name-of-sixty-three-characters-which-is-as-long-as-they-get-x"
THREE = [endpoint("us", US), endpoint("eu", EU_WEST), endpoint("de", EU_CENTRAL)]
STEPS = [{"traffic": "10%", "hold": "1h"}, {"traffic": "50%"}]
CHAT = "team-web/chat"


def plain() -> Stage:
    """Two models in three regions."""
    return Stage(
        provider("p", endpoints=THREE, models=[model("small"), model("large")]),
        provider("anycast", endpoints=[endpoint("any")], models=[model("small")]),
        route("chat", fallbacks=[target("p", "large"), target("anycast", "small")], modelNames=["chat", "gpt-4o"]),
        route("code", target("p", "large"), residency="Geo", shadow={**target("anycast", "small"), "sample": "5%"}),
    )


def many() -> Stage:
    """Thirty routes, some with names as long as they may be."""
    names = [f"route-{number:02}" for number in range(28)] + [LONG, f"{LONG[:-1]}y"]
    models = [f"{'m' * 120}/{number}" for number in range(3)]
    return Stage(
        provider(LONG, endpoints=THREE, models=[model(name) for name in models]),
        *(route(name, target(LONG, models[0]), fallbacks=[target(LONG, models[1])]) for name in names),
    )


def catalogue() -> Stage:
    """A wildcard over forty models."""
    return Stage(
        provider("p", endpoints=THREE, models=[model(f"vendor/model-{number:02}") for number in range(40)]),
        route("all", target("p"), modelNames=["*"]),
    )


def _health(state: State, share: int, reason: Failure | Cause, message: str) -> EndpointHealth:
    return EndpointHealth(state=state, since_ms=NOW_MS - 90_000, reason=reason, message=message, share=share)


def every_state() -> Stage:
    """One endpoint in each state."""
    found = {
        "p/healthy": _health(State.HEALTHY, 100, Cause.HEALTHY, ""),
        "p/suspect": _health(State.SUSPECT, 100, Failure.SERVER_ERROR, "answers 500"),
        "p/down": _health(State.DOWN, 0, Failure.CONNECTION_FAILED, "connection refused, three probes in a row"),
        "p/recovering": _health(State.RECOVERING, 10, Cause.RETURNING, "comes back by steps"),
        "p/drained": _health(State.DRAINED, 0, Cause.DRAINED, "until 2026-11-21T13:00:00Z"),
    }
    names = ["healthy", "suspect", "down", "recovering", "drained", "unknown"]
    regions = [US, EU_WEST, EU_CENTRAL, US, EU_WEST, EU_CENTRAL]
    return Stage(
        provider("p", endpoints=[endpoint(name, region) for name, region in zip(names, regions, strict=True)]),
        route("chat"),
        health=found,
        ejected={US: frozenset({"p/suspect/small"})},
    )


def all_down() -> Stage:
    """Every endpoint is down, one gateway does not answer."""
    down = _health(State.DOWN, 0, Failure.SERVER_ERROR, "answers 503")
    return Stage(
        provider("p", endpoints=THREE),
        route("chat"),
        health={f"p/{one['name']}": down for one in THREE},
        ejected={US: frozenset(f"p/{one['name']}/small" for one in THREE)},
        silent=frozenset({EU_WEST}),
    )


def rolling() -> Stage:
    """A candidate at its first step, with what both arms counted."""
    manifests = (
        provider("p", endpoints=THREE, models=[model("old"), model("new")]),
        route("chat", target("p", "new"), rollout={"steps": STEPS, "stickiness": "Request"}),
    )
    plan = builders.compiled(*manifests).rollouts[CHAT]
    state = machine.ask(plan, machine.ask(Plan(primary="p/old"), None, NOW_MS), NOW_MS)
    counted = Tally(
        stable=ArmCounts(attempts=900, failed=3, first_bytes={250.0: 900}, nano_usd=900_000),
        candidate=ArmCounts(attempts=100, failed=2, first_bytes={500.0: 100}, nano_usd=300_000),
    )
    state = machine.step(plan, state, Observation(counted=counted), NOW_MS + 61_000)
    return Stage(*manifests, rollouts={CHAT: state})


RATINGS = """\
fairlead_feedback_answers_total{arm="stable",route="team-web/kept",target="p/us/small"} 5.0
fairlead_feedback_answers_created{arm="stable",route="team-web/kept",target="p/us/small"} 1.7e+09
fairlead_feedback_ratings_total{arm="stable",rating="up",route="team-web/kept",target="p/us/small"} 2.0
fairlead_feedback_ratings_total{arm="stable",rating="down",route="team-web/kept",target="p/us/small"} 1.0
fairlead_feedback_answers_total{arm="candidate",route="team-web/kept",target="p/us/vendor/a%7E"} 3.0
fairlead_feedback_ratings_total{arm="candidate",rating="up",route="team-web/kept",target="p/us/vendor/a%7E"} 0.0
fairlead_feedback_ratings_total{arm="candidate",rating="odd",route="team-web/kept",target="p/us/vendor/a%7E"} 4.0
fairlead_feedback_refused_total{reason="unknown"} 7.0
"""


def by_content() -> Stage:
    """A route that keeps answers, and two that ask classifiers, of which one fails; nobody has a budget."""
    service = {"service": {"name": "sorter", "port": 80}, "categories": {"code": "code", "simple": "greetings"}}
    rules = [{"name": "code", "when": {"category": "code"}, "route": "kept"}]
    shown = {
        "one": RouteCounts(
            classified={("team-web/sorted", "asked"): 10, ("team-web/burning", "open"): 7},
            cached={("team-web/kept", "hit"): 3, ("team-web/kept", "miss"): 5},
            saved={("team-web/kept", "p/us/small", "prompt"): 1000, ("team-web/kept", "p/us/small", "completion"): 500},
        ),
        "two": RouteCounts(
            classified={
                ("team-web/sorted", "remembered"): 4,
                ("team-web/burning", "timeout"): 5,
                ("team-web/gone", "open"): 5,
            },
            cached={("team-web/kept", "bypass"): 2},
        ),
    }
    grown = {
        **shown,
        "one": replace(shown["one"], classified={**shown["one"].classified, ("team-web/burning", "open"): 9}),
    }
    before = counted(Counted(), shown, shown, NOW_MS - 90_000)
    return Stage(
        provider("p", models=[model("small"), model("large")]),
        route("kept", cache={"ttl": "10m"}),
        route("sorted", classifier=service, rules=rules),
        route("burning", classifier=service, rules=rules),
        counted=counted(before, grown, shown, NOW_MS - 60_000),
        feedback=[RATINGS, RATINGS],
    )


def nothing() -> Stage:
    """Not one object."""
    return Stage()


ALL = {one.__name__: one for one in (plain, many, catalogue, every_state, all_down, rolling, by_content, nothing)}
