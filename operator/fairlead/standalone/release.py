"""A release: everything that the files of one moment mean, ready to be served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from fairlead import compiler, envoy, ir
from fairlead.api.core import Redacted
from fairlead.api.installation import Installation
from fairlead.budget.exhaustion import Exhaustions
from fairlead.compiler import Compiled, Manifest, Observed, SecretRef
from fairlead.envoy import Layout
from fairlead.memo import Memo
from fairlead.rollout.machine import Shares
from fairlead.runtime import stop
from fairlead.runtime.snapshot import bound_keys, snapshot
from fairlead.standalone import plan
from fairlead.standalone.inputs import Inputs, Memory, object_key
from fairlead.status import ServedRoute

STOPS = "fairlead kill"
"""Where the policies that stop consumers come from, in messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What one region's Envoy gets."""

    gateway: ir.Gateway
    routes: tuple[ServedRoute, ...]
    """What it serves by each name."""
    layout: Layout
    files: plan.Files
    digest: str
    keys: bytes = field(repr=False)
    """`keys/ecds.json`: secret."""
    mark: str = field(repr=False)
    """The key by which the gateway knows who may let it ask endpoints with their credentials; empty where none asks."""
    credentials: Mapping[tuple[str, str], Redacted]
    """Values by name of the Secret and key. Those that do not exist are left out: their targets answer nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """All regions."""

    inputs: Inputs
    compiled: Compiled
    regions: Mapping[str, Serving]
    too_large: Mapping[str, str]
    """Regions whose files do not fit, with the message; they are not in `regions`."""
    health: Mapping[str, int]
    """The shares of endpoints that the ladders are made by; of those that have less than the whole."""

    @property
    def budgeted(self) -> bool:
        """Whether somebody has a budget or a limit, or a route what is counted, so that gateways ask or tell."""
        gateways = [gateway.ir for gateway in self.compiled.gateways.values()]
        return any(
            (one.budget is not None and one.budget.asked) or any(route.shadow is not None for route in one.routes)
            for one in gateways
        )


def make(
    inputs: Inputs,
    installation: Installation,
    memory: Memory,
    layouts: Mapping[str, Layout],
    *,
    killed: frozenset[str] = frozenset(),
    exhaustions: Exhaustions | None = None,
    health: Mapping[str, int] = MappingProxyType({}),
    drained: frozenset[str] = frozenset(),
    rollouts: Mapping[str, Shares] = MappingProxyType({}),
    memo: Memo | None = None,
) -> Release:
    """Compile and render. `layouts` has each region that is served here, `killed` the consumers that are stopped.

    `health`, `drained` and `rollouts` are as in `Observed`; `memo` is that of the release before.
    """
    inputs = _with_stops(inputs, killed, installation.namespace)
    compiled = compiler.compile(
        snapshot(inputs.manifests, inputs.values),
        installation,
        Observed(
            last_good=memory.objects,
            layouts=layouts,
            exhaustions=exhaustions or {},
            health=health,
            drained=drained,
            rollouts=rollouts,
            memo=memo or Memo(),
        ),
    )
    pairs = bound_keys(compiled, inputs.values)
    regions: dict[str, Serving] = {}
    too_large: dict[str, str] = {}
    for name, gateway in compiled.gateways.items():
        if gateway.too_large:
            too_large[name] = gateway.too_large
            continue
        mark = _mark(pairs, gateway.ir)
        regions[name] = Serving(
            gateway=gateway.ir,
            routes=gateway.routes,
            layout=layouts[name],
            files=gateway.files,
            digest=gateway.digest,
            keys=envoy.api_keys(pairs, gateway.ir.anonymous, mark or None),
            mark=mark,
            credentials=_credentials(gateway.ir, inputs, installation.namespace),
        )
    return Release(inputs=inputs, compiled=compiled, regions=regions, too_large=too_large, health=health)


def _mark(pairs: Sequence[tuple[str, str]], gateway: ir.Gateway) -> str:
    return envoy.held.mark(envoy.api_keys(pairs, gateway.anonymous)) if gateway.keyed_probes else ""


def _with_stops(inputs: Inputs, killed: frozenset[str], default_namespace: str) -> Inputs:
    """Add the policies that stop consumers. They stand in for what a file has under the same name."""
    named = [consumer.split("/") for consumer in sorted(killed)]
    stops = {stop.policy_key(*consumer): Manifest(content=stop.policy(*consumer), source=STOPS) for consumer in named}
    others = (one for one in inputs.manifests if object_key(one.content, default_namespace) not in stops)
    return replace(inputs, manifests=(*others, *stops.values()))


def _credentials(gateway: ir.Gateway, inputs: Inputs, namespace: str) -> dict[tuple[str, str], Redacted]:
    found = {}
    named = [(credential.secret_name, credential.key) for credential in gateway.credentials]
    signing = (file.partition("/") for signer in gateway.signers or () for file in signer.files)
    for secret, key in (*named, *((secret, key) for secret, _, key in signing)):
        value = inputs.values.value(SecretRef(namespace, secret, key))
        if value is not None:
            found[secret, key] = value
    return found


def listeners_between(old: Serving, new: Serving) -> bytes | None:
    """Render the listeners that take off the credentials' headers of both; None when the new ones do."""
    headers = {credential.header.lower() for credential in new.gateway.credentials}
    going = [credential for credential in old.gateway.credentials if credential.header.lower() not in headers]
    if not going:
        return None
    credentials = sorted([*new.gateway.credentials, *going], key=lambda credential: credential.name)
    both = replace(new.gateway, credentials=tuple(credentials))
    return envoy.render(both, new.layout)[plan.LISTENERS]
