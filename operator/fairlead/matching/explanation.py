"""What becomes of a request for a route, region by region: which rule, which ladder, at what price. Nothing is sent."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from fairlead.budget.cascade import models, whole_reservation
from fairlead.budget.configuration import BudgetConfiguration
from fairlead.budget.estimate import Ask, bounds
from fairlead.budget.price import LongPrompts
from fairlead.ir import Cascade, Gateway, Plan, Route, Side, Target, need_of, other_words, word
from fairlead.ir.rule import BYTES_PER_TOKEN, PRIMARY
from fairlead.matching.prompt import Amiss, Prompt, read
from fairlead.matching.rules import first_match, needs_category


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedRung:
    """A target of a ladder, and what a million of its tokens cost, in nano-dollars; None: no price is declared."""

    target: str
    input: int | None
    output: int | None
    longer: LongPrompts | None = None
    """What long prompts cost instead."""
    judged: bool = False
    """The route's cascade judges its model's answers: one that fails a check goes on to the next model."""
    words: str = ""
    """The path in whose words it wants the request; empty: it gets it as it came."""
    passed_over: bool = False
    """It takes no requests to that path: it is not asked, which costs no attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLadder:
    """A ladder with its share of the requests, in basis points."""

    side: Side
    weight: int
    rungs: tuple[PricedRung, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What one region's gateway does, as declared: health changes the order of rungs there."""

    region: str
    rule: str
    """The name of the rule that applies; `none`: the route's own primary."""
    classifier: str | None
    """Who is asked for a category, the route or the service; None where no rule needs one."""
    route: str
    """The route that answers."""
    ladders: tuple[DrawnLadder, ...]
    at_most: int
    """The most that it can cost, in nano-dollars: what a budget reserves for it."""


def explain(
    gateways: Mapping[str, Gateway],
    prices: BudgetConfiguration,
    asked: str,
    body: bytes,
    path: str,
    *,
    category: str | None = None,
) -> tuple[Explanation, ...]:
    """Say what becomes of a request in every region that takes it for this route; in none: nothing.

    `category` is what the classifier would say; None: none.

    Raises:
        Amiss: gateways refuse it.

    """
    prompt, below = read(body, path), path.removeprefix("/v1/")
    found = []
    for region, gateway in gateways.items():
        routes = {route.name: route for route in gateway.routes}
        if asked in routes:
            classifier = _classifier(routes[asked], prompt)
            rule = first_match(routes[asked].rules, prompt, category if classifier else None)
            answering = routes[asked if rule is None else rule.route]
            plan = _plan(answering, prompt.model)
            if plan is not None:
                found.append(
                    Explanation(
                        region=region,
                        rule=PRIMARY if rule is None else rule.name,
                        classifier=classifier,
                        route=answering.name,
                        ladders=_ladders(plan, gateway, prices, _cascade(answering, plan, prompt, below), path=below),
                        at_most=_at_most(answering, prompt, len(body), prices),
                    )
                )
    return tuple(found)


def facts(body: bytes, path: str) -> Mapping[str, bool | int | None]:
    """Return what rules can ask of a request. Left out: what a gateway would refuse to tell.

    Raises:
        Amiss: gateways refuse it.

    """
    prompt = read(body, path)
    asked: dict[str, Callable[[], bool | int | None]] = {
        "images": lambda: prompt.images,
        "tools": lambda: prompt.tools,
        "json": lambda: prompt.json,
        "promptTokens": lambda: prompt.text_bytes // BYTES_PER_TOKEN,
        "maxOutputTokens": lambda: prompt.output_limit,
    }
    found: dict[str, bool | int | None] = {}
    for name, tell in asked.items():
        try:
            found[name] = tell()
        except Amiss:
            continue
    return found


def _classifier(route: Route, prompt: Prompt) -> str | None:
    asked = route.classifier
    if asked is None or not needs_category(route.rules, prompt) or not prompt.last_user_texts:
        return None
    return asked.route or f"{asked.service}{asked.path}"


def _plan(route: Route, model: str) -> Plan | None:
    """Return what answers a model name: the only plan, or the one of a wildcard's name."""
    key = word.encode(model) if route.keyed else ""
    return next((plan for plan in route.plans if plan.key == key), None)


def _cascade(route: Route, plan: Plan, prompt: Prompt, path: str) -> Cascade | None:
    """Return what judges the answers: nothing where one is a stream, or may be said in other words."""
    worded = path in {"messages", "chat/completions"} and plan.worded_for(need_of(path))
    return None if prompt.stream or worded else route.cascade


def _ladders(
    plan: Plan, gateway: Gateway, prices: BudgetConfiguration, cascade: Cascade | None, *, path: str
) -> tuple[DrawnLadder, ...]:
    rungs = {ladder.name: ladder.rungs for ladder in gateway.ladders}
    targets = {target.name: target for target in gateway.targets}
    need = need_of(path)
    drawn = []
    for arm in plan.arms:
        met = [rung for rung in rungs[arm.ladder] if need is None or need.met_by(targets[rung])]
        judged = frozenset[str]() if cascade is None else cascade.judged(met)
        priced = tuple(_priced(targets[name], prices, judged, path) for name in rungs[arm.ladder])
        drawn.append(DrawnLadder(side=arm.side, weight=arm.weight, rungs=priced))
    return tuple(drawn)


def _priced(target: Target, prices: BudgetConfiguration, judged: Collection[str], path: str) -> PricedRung:
    known, need = prices.targets[target.name].price, need_of(path)
    passed_over = need is not None and not need.met_by(target)
    return PricedRung(
        target=target.name,
        input=known.input if known.known else None,
        output=known.output if known.known else None,
        longer=known.long_prompts,
        judged=target.name.split("/", 2)[2] in judged and not passed_over,
        words=other_words(path, target),
        passed_over=passed_over,
    )


def _at_most(route: Route, prompt: Prompt, body_bytes: int, prices: BudgetConfiguration) -> int:
    try:
        limit = prompt.output_limit
    except Amiss:
        limit = None  # refused where a budget counts it, and the provider's to judge elsewhere
    ask = Ask(body_bytes=body_bytes, output_limit=limit, choices=prompt.choices)
    in_turn = models(prices, route.name, prompt.model, stream=prompt.stream)
    return whole_reservation(ask, [bounds(rungs, route.max_output_tokens) for rungs in in_turn])
