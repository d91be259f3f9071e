"""The budget server's configuration: policies, who falls under them, what targets cost, what bounds an answer.

It is made by the compiler, written as versioned JSON, and knows no Kubernetes: consumers, routes and targets are the
names that the gateways report, selectors are already resolved. Decoding is strict; a file that is wrong raises
`BudgetConfigurationError` and the server keeps the configuration that it has.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from fairlead.budget.configuration_document import (
    BudgetConfigurationDocument,
    PolicyDocument,
    ShadowDocument,
    ShadowLimitDocument,
)
from fairlead.budget.estimate import Rung
from fairlead.budget.policy import Action, Policy, Scope, Stage
from fairlead.budget.price_document import price_document, price_in
from fairlead.budget.shadow import ShadowLimit, ShadowTerms
from fairlead.budget.window import Calendar, Every, Forever, InCalendar, Window
from fairlead.errors import BudgetConfigurationError

VERSION: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTerms:
    """What bounds the cost of a route's answers."""

    max_output_tokens: int | None
    downgrade_to: str | None
    """The route that answers when a budget says Downgrade."""
    plans: Mapping[str, tuple[str, ...]]
    """Model name -> targets that may answer; the key is empty when all names of the route share one plan."""
    cascade: bool = False
    """Several models may answer a request that wants no stream, one after the other."""
    shadow: ShadowTerms | None = None
    """None: the route has no shadow."""
    baseline: str | None = None
    """The target at whose prices its answers are counted once more; None: they are not."""
    feedback: bool = False
    """Whether users may rate its answers."""
    cached: bool = False
    """Gateways keep some of its answers, and tell of each request what became of it."""

    def targets(self, model: str) -> tuple[str, ...]:
        """Return the targets that may answer a model name."""
        return self.plans.get(model) or self.plans.get("", ())


@dataclass(frozen=True, kw_only=True)
class BudgetConfiguration:
    """Everything that the budget server needs to know, and that changes while it runs."""

    fail_closed: bool
    """What happens to requests while the store cannot be asked; they pass where nothing bounds anybody."""
    request_bytes: int
    """The largest body that a gateway lets in: what a body of unknown size is taken for."""
    policies: tuple[Policy, ...]
    consumers: Mapping[str, tuple[str, ...]]
    """Consumer -> names of the policies that match it."""
    killed: frozenset[str]
    """Consumers that are stopped without a look at the counters: by `fairlead kill`, or by a policy of no dollars."""
    routes: Mapping[str, RouteTerms]
    targets: Mapping[str, Rung]
    in_flight: Mapping[str, int] = field(default_factory=dict)
    """Consumer -> how many requests it may have under way, for those that have such a limit."""
    shared_answers_bytes: int = 0
    """Bytes of answers that gateways may leave for each other; 0 = none."""

    @property
    def is_bounding(self) -> bool:
        """Whether requests have to fit something, and so are checked before they go on."""
        return bool(self.policies or self.in_flight)

    def revision_of(self, consumer: str) -> str:
        """Name this version of the policies that match a consumer."""
        names = tuple(sorted(self.consumers.get(consumer, ())))
        known = self._revisions.get(names)
        if known is None:
            known = self._revisions[names] = revision(self._by_name[name] for name in names)
        return known

    def lease_revision_of(self, consumer: str) -> str:
        """Name this version of all that a consumer's lease is made by: its policies, and the terms of all routes."""
        return f"{self.revision_of(consumer)}.{self.terms}"

    @cached_property
    def terms(self) -> str:
        """Name this version of what requests are sized and priced by: of everybody's, so an edit costs each a check."""
        document = {
            "requestBytes": self.request_bytes,
            "routes": _routes_document(self.routes),
            "targets": _targets_document(self.targets),
            "inFlight": dict(self.in_flight),
        }
        return digest(_minified(document))

    @cached_property
    def _revisions(self) -> dict[tuple[str, ...], str]:
        """By names of policies: many consumers fall under the same."""
        return {}

    @cached_property
    def _by_name(self) -> Mapping[str, Policy]:
        return {policy.name: policy for policy in self.policies}

    @cached_property
    def _dearest(self) -> Rung | None:
        return max(self.targets.values(), key=_size, default=None)

    def policy(self, name: str) -> Policy | None:
        """Return a policy by its name."""
        return self._by_name.get(name)

    def policies_of(self, consumer: str, routes: tuple[str, ...]) -> tuple[Policy, ...]:
        """Return the policies that count a request of a consumer on these routes, in the order of their names."""
        named = (self._by_name[name] for name in self.consumers.get(consumer, ()))
        return tuple(policy for policy in named if policy.counts(routes))

    def rungs(self, route: str, model: str) -> tuple[Rung, ...]:
        """Return what may answer; for a route that the configuration does not know (yet) the dearest of all targets."""
        terms = self.routes.get(route)
        known = tuple(self.targets[name] for name in terms.targets(model)) if terms else ()
        return known or ((self._dearest,) if self._dearest else ())

    def rung(self, target: str, route: str, model: str) -> Rung | None:
        """Return who answered; for an unknown target the dearest of the route's; None where no target is known."""
        known = self.targets.get(target)
        if known is not None:
            return known
        return max(self.rungs(route, model), key=_size, default=None)


def _size(rung: Rung) -> int:
    """Order rungs by what they may cost, where nobody knows which of them it is."""
    return rung.price.highest.input + rung.price.highest.output


def revision(policies: Iterable[Policy]) -> str:
    """Name a version of the policies that match a consumer, by their content: what a verdict on it was made by.

    Prices, routes and other consumers are not part of it: a verdict is about what this one has spent.
    """
    return digest(_minified(_policies_document(policies)))


def digest(text: bytes) -> str:
    """Return the name of a version of the configuration."""
    return hashlib.sha256(text).hexdigest()[:16]


def encode(configuration: BudgetConfiguration) -> bytes:
    """Return the configuration as JSON: minified, sorted, the same bytes for the same configuration."""
    document = {
        "version": VERSION,
        "failClosed": configuration.fail_closed,
        "requestBytes": configuration.request_bytes,
        "policies": _policies_document(configuration.policies),
        "consumers": _consumers_document(configuration.consumers),
        "killed": sorted(configuration.killed),
        "routes": _routes_document(configuration.routes),
        "targets": _targets_document(configuration.targets),
        # Without one not there: servers of a version before read on as long as nobody has one.
        **({"inFlight": dict(configuration.in_flight)} if configuration.in_flight else {}),
        **({"sharedAnswersBytes": configuration.shared_answers_bytes} if configuration.shared_answers_bytes else {}),
    }
    return _minified(document)


def _routes_document(routes: Mapping[str, RouteTerms]) -> dict[str, Any]:
    return {
        name: {
            "maxOutputTokens": terms.max_output_tokens,
            "downgradeTo": terms.downgrade_to,
            "plans": {model: list(targets) for model, targets in terms.plans.items()},
            **({"cascade": True} if terms.cascade else {}),
            **_shadow_document(terms.shadow),
            **({} if terms.baseline is None else {"baseline": terms.baseline}),
            **({"feedback": True} if terms.feedback else {}),
            **({"cached": True} if terms.cached else {}),
        }
        for name, terms in routes.items()
    }


def _targets_document(targets: Mapping[str, Rung]) -> dict[str, Any]:
    return {
        name: {
            **price_document(rung.price),
            **({} if rung.price.known else {"known": False}),
            "maxOutputTokens": rung.max_output_tokens,
            "contextWindow": rung.context_window,
            "generates": rung.generates,
            **({} if rung.text else {"text": False}),
        }
        for name, rung in targets.items()
    }


def _minified(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _policies_document(policies: Iterable[Policy]) -> list[dict[str, Any]]:
    return [_policy_document(policy) for policy in sorted(policies, key=lambda policy: policy.name)]


def _consumers_document(consumers: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    return {consumer: sorted(names) for consumer, names in consumers.items()}


def _policy_document(policy: Policy) -> dict[str, Any]:
    return {
        "name": policy.name,
        "scope": policy.scope.value,
        "limit": policy.limit,
        "stages": [{"at": stage.at, "action": stage.action.value} for stage in policy.stages],
        "routes": None if policy.routes is None else sorted(policy.routes),
        **_window_document(policy.window),
    }


def _window_document(window: Window) -> dict[str, Any]:
    match window:
        case Every(length_ms=length_ms, anchor_ms=anchor_ms):
            return {"every": {"lengthMs": length_ms, "anchorMs": anchor_ms}}
        case InCalendar(unit=unit, zone=zone):
            return {"calendar": {"unit": unit.value, "zone": zone}}
        case Forever():
            return {}


def _shadow_document(shadow: ShadowTerms | None) -> dict[str, Any]:
    """Return nothing without a shadow: servers of a version before read on as long as nobody has one."""
    if shadow is None:
        return {}
    limit = shadow.limit
    bounded = {} if limit is None else {"limit": {"limit": limit.limit, **_window_document(limit.window)}}
    return {"shadow": {"targets": list(shadow.targets), **bounded}}


def decode(text: bytes) -> BudgetConfiguration:
    """Decode a file. Raises `BudgetConfigurationError` with one line that says where and why."""
    try:
        document = BudgetConfigurationDocument.model_validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BudgetConfigurationError(f"{where}: {first['msg']}") from error
    policies = tuple(_policy(policy, f"policies.{index}") for index, policy in enumerate(document.policies))
    configuration = BudgetConfiguration(
        fail_closed=document.fail_closed,
        request_bytes=document.request_bytes,
        policies=policies,
        consumers={consumer: tuple(names) for consumer, names in document.consumers.items()},
        killed=frozenset(document.killed),
        routes={
            name: RouteTerms(
                max_output_tokens=route.max_output_tokens,
                downgrade_to=route.downgrade_to,
                plans={model: tuple(targets) for model, targets in route.plans.items()},
                cascade=route.cascade,
                shadow=_shadow(route.shadow, f"routes.{name}.shadow.limit"),
                baseline=route.baseline,
                feedback=route.feedback,
                cached=route.cached,
            )
            for name, route in document.routes.items()
        },
        targets={
            name: Rung(
                price=price_in(target),
                max_output_tokens=target.max_output_tokens,
                context_window=target.context_window,
                generates=target.generates,
                text=target.text,
            )
            for name, target in document.targets.items()
        },
        in_flight=document.in_flight,
        shared_answers_bytes=document.shared_answers_bytes,
    )
    _check_references(configuration)
    return configuration


def _policy(policy: PolicyDocument, path: str) -> Policy:
    if policy.every is not None and policy.calendar is not None:
        raise BudgetConfigurationError(f"{path}: got both `every` and `calendar`, want one of them")
    try:
        return Policy(
            name=policy.name,
            scope=Scope(policy.scope),
            limit=policy.limit,
            window=_window(policy),
            stages=tuple(Stage(at=stage.at, action=Action(stage.action)) for stage in policy.stages),
            routes=None if policy.routes is None else frozenset(policy.routes),
        )
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise BudgetConfigurationError(f"{path}: {error}") from error


def _shadow(shadow: ShadowDocument | None, path: str) -> ShadowTerms | None:
    if shadow is None:
        return None
    limit = shadow.limit
    try:
        bound = None if limit is None else ShadowLimit(limit=limit.limit, window=_window(limit))
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise BudgetConfigurationError(f"{path}: {error}") from error
    return ShadowTerms(targets=tuple(shadow.targets), limit=bound)


def _window(policy: PolicyDocument | ShadowLimitDocument) -> Window:
    if policy.every is not None:
        return Every(length_ms=policy.every.length_ms, anchor_ms=policy.every.anchor_ms)
    if policy.calendar is not None:
        ZoneInfo(policy.calendar.zone)
        return InCalendar(unit=Calendar(policy.calendar.unit), zone=policy.calendar.zone)
    return Forever()


def _check_references(configuration: BudgetConfiguration) -> None:
    policies = [policy.name for policy in configuration.policies]
    if len(set(policies)) != len(policies):
        raise BudgetConfigurationError("policies: got a name twice, want each once")
    known = set(policies)
    for consumer, names in configuration.consumers.items():
        for name in names:
            if name not in known:
                raise BudgetConfigurationError(f"consumers.{consumer}: got `{name}`, want the name of a policy")
    for route, terms in configuration.routes.items():
        if terms.downgrade_to is not None and terms.downgrade_to not in configuration.routes:
            raise BudgetConfigurationError(
                f"routes.{route}.downgradeTo: got `{terms.downgrade_to}`, want the name of a route"
            )
        shadows = terms.shadow.targets if terms.shadow else ()
        other = (("shadow", shadows), ("baseline", [terms.baseline] if terms.baseline is not None else ()))
        for path, targets in (*(("plans", found) for found in terms.plans.values()), *other):
            for target in targets:
                if target not in configuration.targets:
                    raise BudgetConfigurationError(f"routes.{route}.{path}: got `{target}`, want the name of a target")
