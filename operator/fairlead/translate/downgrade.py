"""`downgradeTo`: which route answers instead when a budget says so, and what stands against it.

The prompt must not get further than its own route allows, the answer must be of the same kind, and one model must be
meant whatever name the client asked for.
"""

from collections.abc import Mapping

from fairlead.api.conditions import Reason
from fairlead.api.route import Residency
from fairlead.ir import ModelKind
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.routes import Route
from fairlead.translate.suggestion import listed

_STRICTNESS = (Residency.ANY, Residency.GEO, Residency.REGION)


def objection(route: Route, other: Route) -> tuple[Reason, str] | None:
    """Return why `other` cannot answer for `route`, and what is wanted instead; None when it can."""
    name = other.key.name
    if ModelKind.CHAT not in other.kinds:
        return (
            Reason.MODEL_TYPE_MISMATCH,
            f"got `{name}` of {listed(sorted(other.kinds))} models, want a route whose model is of type `Chat`",
        )
    if other.wildcard:
        return (
            Reason.MODEL_NOT_FOUND,
            f"got `{name}`, which answers with a whole catalogue, want a route whose names share one model",
        )
    if route.speaks_openai and not other.speaks_openai:
        return (
            Reason.MODEL_TYPE_MISMATCH,
            f"got `{name}`, whose models speak Anthropic's API alone, want a route that answers the same requests",
        )
    if _STRICTNESS.index(other.residency) < _STRICTNESS.index(route.residency):
        return (
            Reason.NO_TARGET_IN_RESIDENCY,
            f"got `{name}` with residency `{other.residency}`, want one as strict as this route's, `{route.residency}`",
        )
    return None


def objection_to_downgrade(route: Route, other: Route) -> tuple[Reason, str] | None:
    """Return why `other` cannot answer for `route` once its budget was asked: by then requests are in their words."""
    for what, field, late in (
        ("messages", "messages", other.translates_messages and not route.translates_messages),
        ("chat/completions", "chatCompletions", other.translates_chat and not route.translates_chat),
    ):
        if late:
            message = (
                f"got `{other.key.name}`, whose providers want {what} translated, want a route like this one, where"
                f" none does, write `{field}: Translate` on both sides or on neither"
            )
            return Reason.MODEL_TYPE_MISMATCH, message
    if other.converses and not route.converses:
        message = (
            f"got `{other.key.name}`, whose providers speak Bedrock's API, want a route like this one, where none does"
        )
        return Reason.MODEL_TYPE_MISMATCH, message
    return objection(route, other)


def judge_stand_in(
    route: Route,
    other: Route,
    against: tuple[Reason, str] | None,
    *,
    path: str,
    without: str,
    diagnostics: Diagnostics,
) -> bool:
    """Say what stands against a route that is to answer for another, and where it cannot: there, `without` holds.

    Returns whether it can answer at all.
    """
    if against is not None:
        reason, message = against
        diagnostics.note(reason, path, message)
        return False
    missing = [region for region in route.regions if region not in other.regions]
    if missing:
        diagnostics.warn(
            path,
            f"got `{other.key.name}`, which takes no requests in {listed(missing)}, want it there, or {without}",
        )
    return True


def downgrade(route: Route, here: Mapping[str, Route]) -> str | None:
    """Return the route that answers under budget pressure at a gateway with these routes, by `namespace/name`."""
    if route.downgrade_to is None or ModelKind.CHAT not in route.kinds:
        return None
    other = here.get(f"{route.key.namespace}/{route.downgrade_to}")
    if other is None or other.name == route.name or objection_to_downgrade(route, other) is not None:
        return None
    return other.name
