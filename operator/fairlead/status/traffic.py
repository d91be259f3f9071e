"""What real traffic told of targets and endpoints, in words that say what to do. No secrets: names of Secrets only."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fairlead import ir
from fairlead.health import attempts
from fairlead.health.record import Record
from fairlead.health.standing import Evidence, Standing
from fairlead.ir import word
from fairlead.statuses import Failure

Gateways = Mapping[str, ir.Gateway]
"""What is served, by region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """An endpoint, or one of its targets where others of it are well, that real traffic fails at."""

    subject: str
    """`provider/endpoint`, or `provider/endpoint/model`, as people write it."""
    provider: str
    endpoint: str
    targets: tuple[str, ...]
    """Those that are known to fail, as people write them, sorted."""
    failure: Failure
    message: str
    """One line, no final period, no count and no time: the same as long as it fails the same way."""
    since_ms: int
    regions: tuple[str, ...]
    """Whose gateways see it, sorted."""
    failed_ms: int | None = field(default=None, compare=False)
    """When an attempt failed there for the last time; None where none did, and gateways leave it out by themselves."""

    @property
    def whole(self) -> bool:
        """Whether nothing of the endpoint is known to be well."""
        return self.subject == f"{self.provider}/{self.endpoint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    target: ir.Target
    region: str
    standing: Standing
    failure: Failure | None


def failing(
    evidence: Evidence, gateways: Gateways, *, now_ms: int, records: Mapping[str, Record] | None = None
) -> tuple[Failing, ...]:
    """List what fails, sorted by subject: an endpoint as a whole unless one of its targets is known to be well.

    `records` is what health remembers of endpoints: what probes have disproved since fails no longer.
    """
    found = []
    for (provider, endpoint), seen in sorted(_by_endpoint(evidence, gateways, now_ms).items()):
        bad = [one for one in seen if one.failure is not None]
        well = any(one.failure is None and one.standing.well_ms is not None for one in seen)
        if bad and not well:
            whole = _failing(f"{provider}/{endpoint}", bad)
            found += [] if _is_disproved(whole, (records or {}).get(whole.subject)) else [whole]
        else:
            names = sorted({one.target.name for one in bad})
            found += [_failing(name, [one for one in bad if one.target.name == name]) for name in names]
    return tuple(found)


def _is_disproved(one: Failing, record: Record | None) -> bool:
    """Tell whether an endpoint is well without a request that went well since.

    A probe that brought the key says so; one without only as the last of a whole return, and only of what it would see.
    """
    if record is None or one.failed_ms is None:
        return False
    if record.row.keyed_ms is not None and record.row.keyed_ms > one.failed_ms and not record.row.bad:
        return True
    recovered_ms = record.recovered_ms
    return attempts.seen_by_probes(one.failure) and recovered_ms is not None and recovered_ms > one.failed_ms


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
    cause = first.standing.cause
    return Failing(
        subject=word.decode(subject),
        provider=first.target.provider,
        endpoint=first.target.endpoint,
        targets=tuple(sorted({word.decode(one.target.name) for one in bad})),
        failure=failure,
        message=message(first.target, failure, status=cause[0] if cause else 0),
        since_ms=first.standing.since_ms or 0,
        regions=tuple(sorted({one.region for one in bad})),
        failed_ms=max((one.standing.failed_ms for one in bad if one.standing.failed_ms is not None), default=None),
    )


def message(target: ir.Target, failure: Failure, *, status: int) -> str:
    """Say what an endpoint answers and what to do about it."""
    return f"answers {status}: {_meaning(target, failure)}" if status else _meaning(target, failure)


def _meaning(target: ir.Target, failure: Failure) -> str:
    upstream = target.upstream
    values = {
        "at": f"{'https' if upstream.tls else 'http'}://{_host(upstream)}{upstream.base_path}",
        "host": upstream.host,
        "model": word.decode(target.wire_model),
        "secret": "/".join(target.credential.split("/")[:2]),
    }
    if failure is Failure.CREDENTIAL_REJECTED and target.aws_region and not target.credential:
        text = (
            "it refuses what AWS gives the gateway, or AWS gives nothing; check the role of its service account, and"
            " that it may `bedrock:InvokeModel` and `bedrock:InvokeModelWithResponseStream`"
        )
    elif failure is Failure.CREDENTIAL_REJECTED and target.aws_region:
        text = (
            "it refuses who signs, has no access to the model, or the gateway has no credentials file of AWS; check"
            " Secret `{secret}`"
        )
    elif failure is Failure.CREDENTIAL_REJECTED and not target.credential:
        text = "it wants a credential; give the endpoint a `credential`"
    elif failure is Failure.NOT_FOUND and target.protocol is ir.Protocol.AZURE_OPENAI:
        text = "no deployment `{model}` at `{at}`; check the model's `id`, and `baseURL` and `apiVersion`"
    elif failure is Failure.NOT_FOUND and target.aws_region:
        text = "no model `{model}` there for this account and region; check the model's `id`"
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
    Failure.NO_HTTP: "`{at}` speaks no HTTP, or ended an answer half-way; see its log, and `https` in `baseURL`",
    Failure.UNRESOLVABLE: "the name `{host}` leads to no address; check `baseURL`, and the DNS of the gateway",
    Failure.EJECTED: "it failed so often that gateways leave it out for a while",
}


def _host(upstream: ir.Upstream) -> str:
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    return host if upstream.port == (443 if upstream.tls else 80) else f"{host}:{upstream.port}"


def identities(gateways: Gateways, credentials: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Name every served target, by region, with what its address and credential are: evidence holds for these alone.

    `credentials` has a digest for each credential whose value is known. An identity is kept over a restart: a digest.
    """
    return {
        (region, target.name): _identity(
            repr(target.upstream),
            target.wire_model,
            target.credential,
            credentials.get("/".join(target.credential.split("/")[:2]), ""),
        )
        for region, gateway in gateways.items()
        for target in gateway.targets
    }


def _identity(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


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
