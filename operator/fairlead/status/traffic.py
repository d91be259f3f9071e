"""What real traffic told of targets and endpoints, in words that say what to do. No secrets: names of Secrets only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fairlead import ir
from fairlead.api.conditions import Reason
from fairlead.health.attempts import Failure
from fairlead.health.standing import Evidence, Standing
from fairlead.status.compiled_status import CompiledStatus
from fairlead.status.verdict import Unwell

Gateways = Mapping[str, ir.Gateway]
"""What is served, by region."""


class EndpointState(StrEnum):
    """How an endpoint stands."""

    UNKNOWN = "Unknown"
    """Nobody has asked it anything yet."""
    HEALTHY = "Healthy"
    SUSPECT = "Suspect"
    """Real traffic fails there; requests still go to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """An endpoint, or one of its targets where others of it are well, that real traffic fails at."""

    subject: str
    """`provider/endpoint`, or `provider/endpoint/model`."""
    provider: str
    endpoint: str
    targets: tuple[str, ...]
    """Those that are known to fail, sorted."""
    failure: Failure
    message: str
    """One line, no final period, no count and no time: the same as long as it fails the same way."""
    since_ms: int
    regions: tuple[str, ...]
    """Whose gateways see it, sorted."""

    @property
    def whole(self) -> bool:
        """Whether nothing of the endpoint is known to be well."""
        return self.subject == f"{self.provider}/{self.endpoint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStanding:
    """One endpoint that a gateway serves."""

    provider: str
    endpoint: str
    region: str
    """Empty for an anycast endpoint."""
    state: EndpointState
    failing: Failing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    target: ir.Target
    region: str
    standing: Standing
    failure: Failure | None


def failing(evidence: Evidence, gateways: Gateways, *, now_ms: int) -> tuple[Failing, ...]:
    """List what fails, sorted by subject: an endpoint as a whole unless one of its targets is known to be well."""
    found = []
    for (provider, endpoint), seen in sorted(_by_endpoint(evidence, gateways, now_ms).items()):
        bad = [one for one in seen if one.failure is not None]
        well = any(one.failure is None and one.standing.well_ms is not None for one in seen)
        if bad and not well:
            found.append(_failing(f"{provider}/{endpoint}", bad))
        else:
            names = sorted({one.target.name for one in bad})
            found += [_failing(name, [one for one in bad if one.target.name == name]) for name in names]
    return tuple(found)


def endpoints(evidence: Evidence, gateways: Gateways, *, now_ms: int) -> tuple[EndpointStanding, ...]:
    """List every endpoint that a gateway serves, sorted by name."""
    whole = {(one.provider, one.endpoint): one for one in failing(evidence, gateways, now_ms=now_ms) if one.whole}
    listed = []
    for name, seen in sorted(_by_endpoint(evidence, gateways, now_ms).items()):
        problem = whole.get(name)
        judged = any(one.standing.well_ms is not None or one.failure is not None for one in seen)
        state = EndpointState.HEALTHY if judged else EndpointState.UNKNOWN
        listed.append(
            EndpointStanding(
                provider=name[0],
                endpoint=name[1],
                region=seen[0].target.region,
                state=state if problem is None else EndpointState.SUSPECT,
                failing=problem,
            )
        )
    return tuple(listed)


def _by_endpoint(evidence: Evidence, gateways: Gateways, now_ms: int) -> dict[tuple[str, str], list[_Seen]]:
    found: dict[tuple[str, str], list[_Seen]] = {}
    for region, gateway in gateways.items():
        for target in gateway.targets:
            standing = evidence.standings.get((region, target.name), Standing())
            seen = _Seen(target=target, region=region, standing=standing, failure=standing.failure(now_ms))
            found.setdefault((target.provider, target.endpoint), []).append(seen)
    return found


def _failing(subject: str, bad: Sequence[_Seen]) -> Failing:
    """Describe the failure that has lasted longest; of equals the first by target and region."""
    first = min(bad, key=lambda one: (one.standing.since_ms or 0, one.target.name, one.region))
    failure = first.failure or Failure.EJECTED
    return Failing(
        subject=subject,
        provider=first.target.provider,
        endpoint=first.target.endpoint,
        targets=tuple(sorted({one.target.name for one in bad})),
        failure=failure,
        message=message(first.target, failure, status=first.standing.outcome[0] if first.standing.outcome else 0),
        since_ms=first.standing.since_ms or 0,
        regions=tuple(sorted({one.region for one in bad})),
    )


def message(target: ir.Target, failure: Failure, *, status: int) -> str:
    """Say what an endpoint answers and what to do about it."""
    return f"answers {status}: {_meaning(target, failure)}" if status else _meaning(target, failure)


def _meaning(target: ir.Target, failure: Failure) -> str:
    upstream = target.upstream
    values = {
        "at": f"{'https' if upstream.tls else 'http'}://{_host(upstream)}{upstream.base_path}",
        "host": upstream.host,
        "model": target.wire_model,
        "secret": "/".join(target.credential.split("/")[:2]),
    }
    if failure is Failure.CREDENTIAL_REJECTED and not target.credential:
        text = "it wants a credential; give the endpoint a `credential`"
    elif failure is Failure.NOT_FOUND and "/v" not in upstream.base_path:
        text = "nothing is at `{at}`; does `baseURL` lack `/v1`?"
    else:
        text = _MEANINGS[failure]
    return text.format_map(values)


_MEANINGS = {
    Failure.CREDENTIAL_REJECTED: "it refuses the credential, or has none from the gateway; check Secret `{secret}`",
    Failure.PAYMENT_REQUIRED: "the account there has no credit left; top it up",
    Failure.NOT_FOUND: "no model `{model}` at `{at}`; check the model's `id`, and `baseURL`",
    Failure.REDIRECTED: "a redirect, which is not followed; check `baseURL` `{at}`",
    Failure.RATE_LIMITED: "its rate limit is reached; ask for more, or add an endpoint",
    Failure.SERVER_ERROR: "an error of its own; see its status page or its log",
    Failure.TIMED_OUT: "no answer in time; see its status page or its log",
    Failure.CONNECTION_FAILED: "no connection to `{at}`: refused, unreachable, or its TLS fails; check `baseURL`",
    Failure.CONNECTION_CUT: "it ends connections before the answer is whole; see its status page or its log",
    Failure.NO_HTTP: "no HTTP is spoken at `{at}`; is `baseURL` right about `https`?",
    Failure.UNRESOLVABLE: "the name `{host}` leads to no address; check `baseURL`, and the DNS of the gateway",
    Failure.EJECTED: "it failed so often that gateways leave it out for a while",
}


def _host(upstream: ir.Upstream) -> str:
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    return host if upstream.port == (443 if upstream.tls else 80) else f"{host}:{upstream.port}"


def identities(gateways: Gateways, credentials: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Name every served target, by region, with what its address and credential are: evidence holds for these alone.

    `credentials` has a digest for each credential whose value is known.
    """
    return {
        (region, target.name): " ".join(
            (
                repr(target.upstream),
                target.wire_model,
                target.credential,
                credentials.get("/".join(target.credential.split("/")[:2]), ""),
            )
        )
        for region, gateway in gateways.items()
        for target in gateway.targets
    }


def unwell(found: CompiledStatus, failing: Sequence[Failing]) -> Unwell | None:
    """Say what an object fails at: a provider at an endpoint, a route where every target of a region fails."""
    match found.report.key.kind:
        case "ModelProvider":
            ours = [one for one in failing if one.provider == found.report.key.name]
            return Unwell(reason=Reason[ours[0].failure.name], message=_seen(ours)) if ours else None
        case "ModelRoute":
            return _all_down(found.ladders, failing)
        case _:
            return None


def _seen(failing: Sequence[Failing]) -> str:
    more = f"; {len(failing) - 1} more of its endpoints or models fail" if len(failing) > 1 else ""
    return f"{failing[0].subject}: {failing[0].message}{more}"


def _all_down(ladders: Mapping[str, Sequence[str]], failing: Sequence[Failing]) -> Unwell | None:
    for region, ladder in sorted(ladders.items()):
        here = [one for one in failing if region in one.regions]
        causes = [next((one for one in here if _covers(one, target)), None) for target in ladder]
        if ladder and causes[0] is not None and None not in causes:
            message = f"every target fails in {region}; {causes[0].subject}: {causes[0].message}"
            return Unwell(reason=Reason.ALL_TARGETS_DOWN, message=message)
    return None


def _covers(failing: Failing, target: str) -> bool:
    """Tell whether a target fails with it: by name, or because nothing of its endpoint is known to be well."""
    return target in failing.targets or (failing.whole and target.startswith(f"{failing.subject}/"))


def news(before: Iterable[Failing], now: Iterable[Failing]) -> tuple[tuple[Failing, ...], tuple[Failing, ...]]:
    """Return what fails anew, or in another way, and what fails no longer, also not as a part of something larger."""
    earlier = {(one.subject, one.failure): one for one in before}
    later = {(one.subject, one.failure): one for one in now}
    subjects = {subject for subject, _ in later}
    parts = frozenset(target for one in later.values() for target in one.targets)
    began = tuple(one for name, one in later.items() if name not in earlier)
    ended = tuple(
        one for (subject, _), one in earlier.items() if subject not in subjects and not parts.issuperset(one.targets)
    )
    return began, ended
