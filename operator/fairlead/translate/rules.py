"""`rules`: which routes answer what, and what stands against it.

As for a downgrade, the prompt must not get further than its own route allows, and one model must be meant whatever name
the client asked for.
"""

from collections.abc import Mapping

from fairlead import ir
from fairlead.api.conditions import Reason
from fairlead.api.route_rules import RuleMatch, TokenRange
from fairlead.ir import ModelKind, fold
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.downgrade import judge_stand_in, objection
from fairlead.translate.known_names import KnownNames
from fairlead.translate.routes import Route

_OF_CHAT = "requests of chat alone are told apart, and another model's vectors do not fit those that were stored"


def rules(route: Route, here: Mapping[str, Route], *, classified: bool) -> tuple[ir.RouteRule, ...]:
    """Return the rules of a route that lead somewhere at a gateway with these routes, by `namespace/name`.

    Without somebody who gives requests a category (`classified`), rules that ask for one match none.
    """
    if ModelKind.CHAT not in route.kinds:
        return ()
    found = []
    for written in route.rules:
        if written.when.category is not None and not classified:
            continue
        other = here.get(f"{route.key.namespace}/{written.route}")
        if other is not None and other.name != route.name and objection(route, other) is None:
            found.append(ir.RouteRule(name=written.name, route=other.name, conditions=conditions(written.when)))
    return tuple(found)


def conditions(written: RuleMatch) -> ir.Conditions:
    """Return what a request must be like."""
    return ir.Conditions(
        images=written.images,
        tools=written.tools,
        json=written.json_,
        prompt_tokens=_range(written.prompt_tokens),
        max_output_tokens=_range(written.max_output_tokens),
        last_user_contains=tuple(sorted({fold.fold(text) for text in written.last_user_contains or ()})),
        category=written.category,
    )


def _range(written: TokenRange | None) -> ir.TokenRange | None:
    return None if written is None else ir.TokenRange(at_least=written.at_least, below=written.below)


def judge_rules(route: Route, routes: Mapping[str, Route], written: KnownNames, diagnostics: Diagnostics) -> None:
    """Say which rules lead nowhere: requests that they would match go on to the next one."""
    if route.rules and ModelKind.CHAT not in route.kinds:
        diagnostics.note(
            Reason.MODEL_TYPE_MISMATCH,
            "spec.rules",
            f"got rules, want none: {_OF_CHAT}, remove them",
        )
        return
    for position, rule in enumerate(route.rules):
        path = f"spec.rules[{position}].route"
        if written.check_route(route.key.namespace, rule.route, path, diagnostics):
            other = routes.get(f"{route.key.namespace}/{rule.route}")
            if other is not None and other.candidates:
                _judge_rule(route, other, path, diagnostics)


def _judge_rule(route: Route, other: Route, path: str, diagnostics: Diagnostics) -> None:
    against, skipped = objection(route, other), "the rule is skipped"
    if not judge_stand_in(route, other, against, path=path, without=skipped, diagnostics=diagnostics):
        return
    if any(back.route == route.key.name for back in other.rules):
        diagnostics.warn(
            path,
            f"got `{other.key.name}`, whose rules lead back here, want to know that one that a rule leads to applies"
            " none of its own: such requests end there",
        )
