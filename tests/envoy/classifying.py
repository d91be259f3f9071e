"""A gateway whose routes ask classifiers: a route for each classifier that has a state of its own."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import running
from judge import Judge, model, service
from running import Gateway
from serving import NEVER_EJECTED

from fairlead import ir
from fairlead.demo.provider import SimulatedProvider
from ports import free_port

CATEGORIES = ("code", "small-talk")
PATIENT_MS = 10_000
BRIEF_MS = 100
HELD = {
    "hung": BRIEF_MS,
    "breaker": BRIEF_MS,
}
"""Paths of services that are not waited for."""
RULES = (
    ir.RouteRule(name="forms", route="team/forms", conditions=ir.Conditions(json=True)),
    ir.RouteRule(name="coding", route="team/large", conditions=ir.Conditions(category="code", images=False)),
    ir.RouteRule(name="chatter", route="team/small", conditions=ir.Conditions(category="small-talk")),
)
SERVED = (
    *("service", "remembered", "hung", "breaker", "killed", "interleaved", "long", "held"),
    *(f"strange-{number}" for number in range(20)),
)
"""Routes that ask a service, each by a path of its own."""


class Running:
    """The gateway, and who is behind it."""

    def __init__(self, gateway: Gateway, service: Judge, model: Judge, providers: SimulatedProvider) -> None:
        self.gateway, self.service, self.model, self.providers = gateway, service, model, providers

    def ask(self, route: str, text: Any, **fields: Any) -> running.Answer:
        return self.gateway.ask(route, messages=[{"role": "user", "content": text}], **fields)

    def told(self, route: str, text: Any, **fields: Any) -> tuple[str | None, ...]:
        answer = self.ask(route, text, **fields)
        assert answer.status == 200, answer.body
        return told(answer)


def told(answer: running.Answer) -> tuple[str | None, ...]:
    return tuple(answer.headers.get(f"x-fairlead-{name}") for name in ("category", "rule", "route"))


@contextlib.contextmanager
def classifying() -> Iterator[Running]:
    """Run the gateway."""
    with contextlib.ExitStack() as stack:
        providers = stack.enter_context(SimulatedProvider(models=("small", "large", "forms"), keys=()))
        asked = stack.enter_context(Judge(lambda text: service("code" if "sql" in text else "small-talk")))
        tiny = stack.enter_context(Judge(lambda text: model("code" if "sql" in text else "small-talk")))
        gateway = stack.enter_context(Gateway(_whole(asked, tiny, providers, free_port())))
        yield Running(gateway, asked, tiny, providers)


def _whole(asked: Judge, tiny: Judge, providers: SimulatedProvider, nobody: int) -> ir.Gateway:
    targets = {name: running.target(f"p/e/{name}", providers) for name in ("small", "large", "forms")}
    down = running.target("gone/e/tiny", SimpleNamespace(port=nobody), breaker=NEVER_EJECTED)
    targets["tiny"] = running.target("q/e/tiny", SimpleNamespace(port=tiny.port))
    ladders = {f"team/{name}/0": (one,) for name, one in targets.items()}
    ladders["team/tiny/0"] = (down, targets["tiny"])
    routes = {
        name: running.route(f"team/{name}", running.plan(f"team/{name}/0", last=ladders[f"team/{name}/0"][0]))
        for name in targets
    }
    for name in SERVED:
        port = nobody if name == "killed" else asked.port
        made = ir.Classifier(
            categories=CATEGORIES,
            timeout_ms=HELD.get(name, PATIENT_MS),
            service=f"127.0.0.1:{port}",
            path=f"/{name}",
            remember_s=3600 if name == "remembered" else 0,
        )
        routes[name] = _ruled(name, made, targets["small"])
        ladders[f"team/{name}/0"] = (targets["small"],)
    by_route = ir.Classifier(
        categories=CATEGORIES, timeout_ms=PATIENT_MS, route="team/tiny", prompt='One "word": code or small-talk.\nOne.'
    )
    routes["model"] = _ruled("model", by_route, targets["small"])
    ladders["team/model/0"] = (targets["small"],)
    whole = running.gateway(routes, ladders)
    # Nobody may ask the model that sorts by its own name.
    (scope,) = whole.scopes
    entries = tuple(entry for entry in scope.entries if entry.model_name != "tiny")
    return replace(whole, scopes=(replace(scope, entries=entries),))


def _ruled(name: str, asked: ir.Classifier, last: ir.Target) -> ir.Route:
    return running.route(f"team/{name}", running.plan(f"team/{name}/0", last=last), rules=RULES, classifier=asked)
