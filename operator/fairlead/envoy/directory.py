"""The directory: who calls and what their names mean, as the request filter reads it.

It is the metadata of the catch-all route of virtual host `*`, so names and the routes they lead to change in one step,
in one file. The virtual host's own metadata names its version, by which the filter knows it: each worker takes it once,
since Envoy copies all of it each time. Every value is a short string, and the filter keeps what it has taken apart, by
content. Fields are separated by one space; `-` is an absent field.

    c:<consumer>            -> <expires at, unix seconds> <allowed model names> <scope>|<scope>|...
    s:<consumer>            -> there, where the consumer is stopped
    a:<consumer>            -> there, where it is what callers without a key are
    b:<consumer>            -> <revision of its policies> <route> <route> ..., or `*`: where a budget counts what this
                               one spends
    b                       -> there, where a budget server is asked: `1`, of those whom something bounds, `*`, of all
    v                       -> <version of what a budget server sizes and prices requests by>: voids leases of another
    m:<consumer>            -> there, where it may have so many requests under way and no more
    x:<consumer>            -> <until, unix seconds; 0: ever> <route, or `*`> ...: where its budgets are at their end
    d:<route>               -> <route that answers for it under a budget's pressure>, where answers can be gone on from
    f                       -> there, where a route takes feedback
    i                       -> <provider>,<secret>/<key>,... ...: by which secrets ids of their answers are signed
    k                       -> there, where a plan keeps consumers on its sides
    n:<scope>|<model name>  -> <route> <kind> <max output tokens> <wire id> <last wire id> <last target> <shape> <stem>
                               r <dialects> t[<hints>] <limit>[<hints>] <API>,... <family>[<hints>] <pins>; or `-`:
                               a refusal
    r:<route>               -> <rule> <route that it leads to> <condition>;<condition>...|<rule> ...
    q:<route>               -> <cluster> <route, of one that is asked> <timeout, ms> <remembered, s> <path>
                               <category>,... <prompt, as JSON>: who gives its requests a category
    t:<route>               -> of a route that a rule leads to, or that gives categories, the same as of a model's name
    l:<scope>               -> <model name> <model name> ..., refusals with a `!` before the name

- Allowed model names are separated by commas; none at all is one comma. Scopes come last, since their names may hold
  spaces and commas.
- `wire id` is the most likely one: that of the first rung of the first stable arm; the upstream filter swaps it where
  another host was chosen.
- `dialects`: there where not all rungs speak OpenAI's API. For each need (`ir.Need`) that can be answered, with `|`
  between them, `<need>` where all rungs meet it, `<need>,<last wire id>,<last target>` where its requests pass
  over others, and `!<need>` where no rung has that of the API that it speaks.
- `shape` (the arms' weights) and `stem` (clusters of the arms' ladders are `<stem>/0`, `<stem>/1`, ...) are there for
  plans that are picked by a key only; `r` only where the route has rules, `t` where a rung wants messages in other
  words, `limit`, of the tokens of an answer whose client says none, where one wants chat/completions so. Before one
  that is there stand `-`. The APIs of clients are those whose requests a rung wants in the words of Bedrock's Converse;
  `family` is `c`, where all models of such rungs are Claude's, else `o`. `hints`, where all such rungs have some:
  `,<how models are told to think, or ->,`, and `l` where how tokens are drawn is left out. `pins`: `<target>,<wire id>`
  of rungs whose endpoints keep their answers, with `|` between them, and `,!` behind those whose endpoint is down or
  drained.
- Conditions are `images=1`, `tools=0`, `json=1`, `prompt=<at least>-<below>` and `output=...` in tokens,
  `text=<literal>,...`, folded and in hexadecimal digits, `category=<name>`.
"""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from fairlead.envoy import names, response_ids
from fairlead.ir import (
    Classifier,
    Consumer,
    Converse,
    Gateway,
    Hints,
    ModelKind,
    Pin,
    Plan,
    Route,
    RouteRule,
    Side,
    Stickiness,
    TokenRange,
    word,
)
from fairlead.memo import Memo

ABSENT = "-"
NO_NAMES = ","
ALL = "*"
REFUSED = "!"
STOPPED = ASKED = ANONYMOUS = LIMITED = "1"
TRANSLATED = "t"
LEAVES = "l"
CLAUDE, OTHERS = "c", "o"
RULED = "r"
BUDGETS = "b"
"""Key that is there when a budget server is asked: then the request filter says what bounds a request's cost. Its value
is `ALL` where everybody is checked, else only those are whom something bounds."""
TERMS = "v"
"""Key of the version of what requests are sized and priced by."""
FEEDBACK = "f"
"""Key that is there when answers can be rated, of any route."""
SIGNERS = "i"
"""Key that is there when answers can be gone on from."""
STICKY = "k"
"""Key that is there when the request filter is to say which bucket a consumer falls into."""
FORBIDDEN = frozenset(' ,|"\\\0')
"""Characters that would end a field, an item, a key or a JSON string. No grammar of the API lets them in."""


def render(gateway: Gateway, memo: Memo | None = None) -> dict[str, str]:
    """Render the directory's entries, sorted by key. `memo` makes it faster, and changes nothing."""
    memo = Memo() if memo is None else memo
    routes = {route.name: route for route in gateway.routes}
    plans = {(route.name, plan.key): plan for route in gateway.routes for plan in route.plans}
    first_rungs = {ladder.name: ladder.rungs[0] for ladder in gateway.ladders}
    wire_ids = {target.name: target.wire_model for target in gateway.targets}

    entries = _consumers(gateway)
    for route in (one for one in gateway.routes if one.rules):
        entries[f"r:{_word(route.name)}"] = "|".join(map(_rule, route.rules))
        if route.classifier is not None:
            entries[f"q:{_word(route.name)}"] = _classifier(route.classifier)
    for name in sorted(_reached(gateway)):
        (plan,) = routes[name].plans
        entries[f"t:{_word(name)}"] = _answer(routes[name], plan, _guess(plan, first_rungs, wire_ids))
    if any(is_sticky(route, plan) for route in gateway.routes for plan in route.plans):
        entries[STICKY] = ASKED
    if gateway.signers:
        entries[SIGNERS] = response_ids.signers(gateway)
        entries |= {f"d:{_word(route.name)}": _word(to) for route in gateway.routes if (to := route.downgrade_to)}
    for scope in gateway.scopes:
        entries[f"l:{scope.name}"] = " ".join(
            _word(entry.model_name) if entry.route else REFUSED + _word(entry.model_name) for entry in scope.entries
        )
        for entry in scope.entries:
            key = f"n:{scope.name}|{entry.model_name}"
            if entry.route:
                route, plan = routes[entry.route], plans[entry.route, entry.plan]
                wire_id = _guess(plan, first_rungs, wire_ids)
                known_as = "answer", gateway.region, entry.route, entry.plan
                entries[key] = memo.of(known_as, (route, plan, wire_id), partial(_answer, route, plan, wire_id))
            else:
                entries[key] = ABSENT
    return dict(sorted(entries.items()))


def _consumers(gateway: Gateway) -> dict[str, str]:
    entries: dict[str, str] = {}
    for consumer in gateway.consumers:
        entries[f"c:{_word(consumer.name)}"] = _caller(consumer)
        if consumer.name == gateway.anonymous:
            entries[f"a:{_word(consumer.name)}"] = ANONYMOUS
        if consumer.stopped:
            entries[f"s:{_word(consumer.name)}"] = STOPPED
        if consumer.max_in_flight is not None:
            entries[f"m:{_word(consumer.name)}"] = LIMITED
        if consumer.endings:
            ends = ((str(ending.until_s), _word(ending.route or ALL)) for ending in consumer.endings)
            entries[f"x:{_word(consumer.name)}"] = " ".join(word for pair in ends for word in pair)
        if consumer.budgeted_routes != ():
            counted = (consumer.budget_revision, *(consumer.budgeted_routes or (ALL,)))
            entries[f"b:{_word(consumer.name)}"] = " ".join(map(_word, counted))
    return entries


def stable_targets(document: Any) -> Mapping[str, str]:
    """Return the stable target, `provider/model`, of each route whose names share one, by an `rds.json` of before.

    Whatever a rollout moved: a last resort is where the stable target was declared first. A document of another shape
    raises what `runtime.saved` takes for damage.
    """
    found: dict[str, set[str]] = {}
    hosts = [host for one in document["resources"] for host in one["virtual_hosts"] if host["name"] == ALL]
    for route in (route for host in hosts for route in host["routes"]):
        entries = route.get("metadata", {}).get("filter_metadata", {}).get(names.DIRECTORY_NAMESPACE, {})
        for answer in (answer for key, answer in entries.items() if key.startswith("n:") and answer != ABSENT):
            name, _, _, _, _, target, *_ = answer.split(" ")
            provider, _, model = target.split("/", 2)
            found.setdefault(name, set()).add(f"{provider}/{word.decode(model)}")
    return {route: min(targets) for route, targets in sorted(found.items()) if len(targets) == 1}


def shape(plan: Plan) -> str:
    """Spell the arms' weights, `5000-5000`; plans of one shape share one route of their virtual host."""
    return "-".join(str(arm.weight) for arm in plan.arms)


def is_sticky(route: Route, plan: Plan) -> bool:
    """Tell whether a consumer stays on its side of a plan: only while there are two, since a spread is drawn anew."""
    return route.stickiness is Stickiness.CONSUMER and {arm.side for arm in plan.arms} == set(Side)


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
    words = [
        ",".join(map(_word, (one.need.value, *((one.last_model, one.last_target) if one.apart else ()))))
        for one in plan.dialects
    ]
    spoken = "|".join([*words, *([f"{REFUSED}{plan.refused.value}"] if plan.refused else [])])
    keyed = (shape(plan), names.ladder_cluster(_stem(plan))) if route.keyed else (ABSENT, ABSENT)
    ruled = RULED if route.rules and plan.kind is ModelKind.CHAT else ABSENT
    fields = [*map(_word, (*common, *keyed, ruled)), spoken or ABSENT]
    fields.append(_words(TRANSLATED, plan.hints) if plan.translated else ABSENT)
    fields.append(_words(str(plan.worded.max_tokens), plan.worded.hints) if plan.worded else ABSENT)
    fields += _converse(plan.converse) if plan.converse else [ABSENT, ABSENT]
    fields.append("|".join(map(_pin, plan.pins or ())) or ABSENT)
    while fields[-1] == ABSENT:
        fields.pop()
    return " ".join(fields)


def _converse(wanted: Converse) -> tuple[str, str]:
    apis = ("Messages", *(["Chat"] if wanted.chat else []))
    return ",".join(apis), _words(CLAUDE if wanted.claude else OTHERS, wanted.hints)


def _pin(pin: Pin) -> str:
    return ",".join((pin.target, pin.wire_model, *(["!"] if pin.stopped else [])))


def _words(first: str, hints: Hints | None) -> str:
    if hints is None:
        return first
    return ",".join((first, hints.reasoning or ABSENT, LEAVES if hints.leaves_out else ""))


def _rule(rule: RouteRule) -> str:
    wanted = rule.conditions
    flags = {"images": wanted.images, "tools": wanted.tools, "json": wanted.json}
    ranges = {"prompt": wanted.prompt_tokens, "output": wanted.max_output_tokens}
    written = [f"{name}={int(value)}" for name, value in flags.items() if value is not None]
    written += [f"{name}={_range(value)}" for name, value in ranges.items() if value is not None]
    if wanted.last_user_contains:
        written.append("text=" + ",".join(literal.encode().hex() for literal in wanted.last_user_contains))
    if wanted.category is not None:
        written.append(f"category={_word(wanted.category)}")
    return f"{_word(rule.name)} {_word(rule.route)} {';'.join(written)}"


def _reached(gateway: Gateway) -> set[str]:
    """Return the routes that others lead to, or ask; where answers are kept, also those of a budget's pressure."""
    ruled = {rule.route for route in gateway.routes for rule in route.rules}
    if gateway.signers:
        ruled |= {route.downgrade_to for route in gateway.routes if route.downgrade_to}
    return ruled | {route.classifier.route for route in gateway.routes if route.classifier and route.classifier.route}


def _classifier(asked: Classifier) -> str:
    cluster = names.classifier_cluster(asked.service) if asked.service else names.CLASSIFIER_CLUSTER
    words = (cluster, asked.route or ABSENT, str(asked.timeout_ms), str(asked.remember_s), asked.path)
    return " ".join((*map(_word, words), ",".join(map(_word, asked.categories)), json.dumps(asked.prompt)))


def _range(tokens: TokenRange) -> str:
    return "-".join("" if bound is None else str(bound) for bound in (tokens.at_least, tokens.below))


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
