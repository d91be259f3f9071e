"""The directory: who calls and what their names mean, as the request filter reads it.

It is the metadata of the catch-all route of virtual host `*`, so names and the routes they lead to change in one step,
in one file. Every value is a short string, because Envoy turns a string into a Lua value five times as fast as a struct
(60 against 300 ns), and the filter keeps what it has taken apart, by content. Fields are separated by one space; `-` is
an absent field.

    c:<consumer>            -> <expires at, unix seconds> <allowed model names> <scope>|<scope>|...
    s:<consumer>            -> there, where the consumer is stopped
    b:<consumer>            -> <route> <route> ..., or `*`: where a budget counts what this one spends
    b                       -> the policies' revision, where a budget server is asked
    n:<scope>|<model name>  -> <route> <kind> <max output tokens> <wire id> <last wire id> <last target> <shape> <stem>
                               or `-`: a refusal
    l:<scope>               -> <model name> <model name> ..., refusals with a `!` before the name

- Allowed model names are separated by commas; none at all is one comma. Scopes come last, since their names may hold
  spaces and commas.
- `wire id` is the most likely one: that of the first rung of the first stable arm; the upstream filter swaps it where
  another host was chosen.
- `shape` (the arms' weights) and `stem` (clusters of the arms' ladders are `<stem>/0`, `<stem>/1`, ...) are there for
  plans that are picked by a key only.
"""

from collections.abc import Mapping

from fairlead.envoy import names
from fairlead.ir import Consumer, Gateway, Plan, Route, Side

ABSENT = "-"
NO_NAMES = ","
ALL = "*"
REFUSED = "!"
STOPPED = "1"
BUDGETS = "b"
"""Key that is there when a budget server is asked: then the request filter says what bounds a request's cost."""
FORBIDDEN = frozenset(' ,|"\\\0')
"""Characters that would end a field, an item, a key or a JSON string. No grammar of the API lets them in."""


def render(gateway: Gateway) -> dict[str, str]:
    """Render the directory's entries, sorted by key."""
    routes = {route.name: route for route in gateway.routes}
    plans = {(route.name, plan.key): plan for route in gateway.routes for plan in route.plans}
    first_rungs = {ladder.name: ladder.rungs[0] for ladder in gateway.ladders}
    wire_ids = {target.name: target.wire_model for target in gateway.targets}

    entries: dict[str, str] = {}
    for consumer in gateway.consumers:
        entries[f"c:{_word(consumer.name)}"] = _caller(consumer)
        if consumer.stopped:
            entries[f"s:{_word(consumer.name)}"] = STOPPED
        if consumer.budgeted_routes != ():
            entries[f"b:{_word(consumer.name)}"] = " ".join(map(_word, consumer.budgeted_routes or (ALL,)))
    for scope in gateway.scopes:
        entries[f"l:{scope.name}"] = " ".join(
            _word(entry.model_name) if entry.route else REFUSED + _word(entry.model_name) for entry in scope.entries
        )
        for entry in scope.entries:
            key = f"n:{scope.name}|{entry.model_name}"
            if entry.route:
                plan = plans[entry.route, entry.plan]
                entries[key] = _answer(routes[entry.route], plan, _guess(plan, first_rungs, wire_ids))
            else:
                entries[key] = ABSENT
    return dict(sorted(entries.items()))


def shape(plan: Plan) -> str:
    """Spell the arms' weights, `5000-5000`; plans of one shape share one route of their virtual host."""
    return "-".join(str(arm.weight) for arm in plan.arms)


def _caller(consumer: Consumer) -> str:
    allowed = consumer.allowed_model_names
    fields = (
        ABSENT if consumer.expires_at is None else str(consumer.expires_at),
        ABSENT if allowed is None else ",".join(_word(name) for name in allowed) or NO_NAMES,
        "|".join(consumer.scopes),
    )
    return " ".join(fields)


def _answer(route: Route, plan: Plan, wire_id: str) -> str:
    common = (
        route.name,
        plan.kind.value,
        ABSENT if route.max_output_tokens is None else str(route.max_output_tokens),
        wire_id,
        plan.last_model,
        plan.last_target,
    )
    keyed = (shape(plan), names.ladder_cluster(_stem(plan))) if route.keyed else ()
    return " ".join(_word(field) for field in common + keyed)


def _stem(plan: Plan) -> str:
    """Cut `/<arm>` off the names of a plan's ladders.

    Raises:
        ValueError: the ladders are not named so; `ir.Ladder.name` promises it.

    """
    stem = plan.arms[0].ladder.rpartition("/")[0]
    ladders = [arm.ladder for arm in plan.arms]
    if ladders != [f"{stem}/{number}" for number in range(len(ladders))]:
        raise ValueError(f"got ladders {ladders}, want one stem and the arms' numbers")
    return stem


def _guess(plan: Plan, first_rungs: Mapping[str, str], wire_ids: Mapping[str, str]) -> str:
    """Pick the wire id that most requests need."""
    for arm in plan.arms:
        if arm.side is Side.STABLE and arm.weight:
            return wire_ids[first_rungs[arm.ladder]]
    return plan.last_model


def _word(text: str) -> str:
    """Return the text if it can stand in a field.

    Raises:
        ValueError: it cannot. The API's grammars exclude that, so this is a bug, not a user's mistake.

    """
    if not text or FORBIDDEN.intersection(text):
        raise ValueError(f"got {text!r}, want a word without spaces, commas, bars, quotes and backslashes")
    return text
