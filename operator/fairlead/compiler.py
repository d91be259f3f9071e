"""compile(): resources and observed state in; files, manifests, status and what to remember out. Pure and total.

The operator, `fairlead up`, `fairlead render`, `fairlead check` and every golden test call this one function. A user's
mistake is a report, never an exception, and hurts nobody but the object that has it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fairlead import envoy, ir, manifests
from fairlead.api.installation import AccessLog, Installation
from fairlead.api.meta import ObjectKey
from fairlead.budget.configuration import encode
from fairlead.budget.exhaustion import Exhaustions
from fairlead.envoy import BudgetServer, Drain, Layout
from fairlead.errors import TooLargeError
from fairlead.ir import ListenAddress
from fairlead.manifests import BudgetSettings, RegionSettings, Settings, budget_configuration
from fairlead.manifests import paths as pod
from fairlead.memo import Memo
from fairlead.rollout.machine import Shares
from fairlead.rollout.plan import Plan
from fairlead.status import CompiledStatus, ServedRoute, compiled_statuses, served_routes
from fairlead.translate import KeyBinding, References, Report, SecretRef, Secrets, Served, anonymous_of, translate
from fairlead.translate.effective import effective, has_layers, without_layers
from fairlead.translate.endpoints import DeclaredEndpoint
from fairlead.translate.exhausted import endings, with_endings
from fairlead.translate.geography import Geography
from fairlead.translate.intake import Manifest, Stray, intake, standing
from fairlead.translate.mounts import credential_secrets, entries_of, mounted, without
from fairlead.translate.rollouts import source_of

__all__ = [
    "Compiled",
    "CompiledGateway",
    "DeclaredEndpoint",
    "HelmRelease",
    "KeyBinding",
    "Manifest",
    "Observed",
    "Report",
    "SecretRef",
    "Served",
    "Snapshot",
    "Stray",
    "compile",
    "pod_layouts",
]

_ANY = "0.0.0.0"  # noqa: S104  a pod serves its Service, its scraper and its kubelet


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that users wrote, as it is now."""

    manifests: tuple[Manifest, ...]
    """Objects of our four kinds and Namespaces, undecoded, in any order; others are skipped with a warning."""
    secrets: Mapping[SecretRef, str]
    """For each entry of a Secret that can be read, a fingerprint: equal for equal values, and never the value."""
    unreadable: frozenset[SecretRef] = frozenset()
    """Entries that may exist, but that the shell was not allowed to read."""
    unusable: Mapping[SecretRef, str] = field(default_factory=dict)
    """Entries whose value no client can send as an API key, each with what is wrong with it (`envoy.unusable_key`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmRelease:
    """The release of the chart whose pods serve."""

    settings: Settings
    """How gateways run there; it has each region that is served."""
    owner_uid: str
    """Of the ConfigMap that owns every object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the shell knows beside what users wrote."""

    last_good: Mapping[ObjectKey, Mapping[str, Any]] = field(default_factory=dict)
    """`Compiled.last_good` of the compilation before."""
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    """By region, where the files stand for its Envoy. A region without one is compiled, but not rendered."""
    release: HelmRelease | None = None
    """None: nothing runs in pods, so no manifests are made, and there is no word on whom limits hold for."""
    home_secrets_readable: bool = True
    """Whether Secrets of the installation's namespace can be read. False on Kubernetes: then providers' credentials
    count as there, and consumers cannot live in that namespace."""
    mounted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By region, the Secrets that all of its pods mount. Until they mount those of a provider, its gateway goes on with
    what it can serve. A region that is not named has no pods, or its gateway reads Secrets from files of its own."""
    deployed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By region, the Secrets that its Deployment mounts. One that nobody needs any more goes with the next new one: no
    pod is replaced for it alone."""
    absent: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By region, credentials, `<secret>/<key>`, that pods say that they lack: nothing is signed by them until then."""
    health: Mapping[str, int] = field(default_factory=dict)
    """Of endpoints, `provider/endpoint`, the percentage of their traffic that they may have now, 0 to 100; one that is
    not named has all of it. It changes the order of rungs in the files, and nothing else of what is compiled."""
    drained: frozenset[str] = frozenset()
    """Regions that clients are to leave: their gateways' `/healthz` alone says so. Where those are all, none does."""
    rollouts: Mapping[str, Shares] = field(default_factory=dict)
    """By route, `namespace/name`, what the rollout machine lets serve; others serve what is written."""
    exhaustions: Exhaustions = field(default_factory=dict)
    """Who is at the end of which budget. It stands in the files alone, too."""
    memo: Memo = field(default_factory=Memo, compare=False, repr=False)
    """`Compiled.memo` of a compilation before: what it does not have is worked out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledGateway:
    """One region's gateway."""

    ir: ir.Gateway
    """As declared: what reports, budgets and status are made from, whatever the health of endpoints."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Path below the gateway's folder to content. Empty when the region has no layout, or when they are too large."""
    digest: str = ""
    """What the gateway's readiness answer says when it serves these files."""
    manifests: tuple[Mapping[str, Any], ...] = ()
    """Its Kubernetes objects, in the order in which they are to be applied. Empty without a release, or as `files`."""
    routes: tuple[ServedRoute, ...] = ()
    """What it serves by each name, sorted by route."""
    too_large: str = ""
    """Why there are no files: one of them does not fit; the gateway keeps what it has."""
    fullness: tuple[int, str] = (0, "")
    """How much the fullest file takes of what it may, in percent, and its path."""
    without_steps: bool = False
    """Whether the files have no room for shares between 0 and 100 %: those are rounded, and returns are at once."""
    lacking: frozenset[str] = frozenset()
    """Secrets that its pods do not mount yet; its Deployment does already."""
    waiting: frozenset[ObjectKey] = frozenset()
    """The objects that are not yet in effect as they are now, because of those Secrets."""

    @property
    def names(self) -> frozenset[str]:
        """The names of models that it answers."""
        return frozenset(name for route in self.routes for answer in route.answers for name in answer.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What the resources mean for each gateway that runs here, and what is said about each object."""

    gateways: Mapping[str, CompiledGateway]
    """By region, in the installation's order."""
    reports: tuple[Report, ...]
    """One for each object of our four kinds, sorted by key."""
    status: Mapping[ObjectKey, CompiledStatus]
    """Of each object, every part of its status that needs no clock and nobody's answer."""
    strays: tuple[Stray, ...]
    """What is said about manifests that are no object of ours."""
    key_bindings: tuple[KeyBinding, ...]
    """Which entries of Secrets hold API keys of which consumers; the shell fetches the values."""
    configuration: bytes = b""
    """The budget server's configuration, JSON."""
    manifests: tuple[Mapping[str, Any], ...] = ()
    """The release's objects that belong to no region. Empty without a release."""
    too_large: str = ""
    """Why the budget server's ConfigMap is not among them: it does not fit; the one before stays."""
    endpoints: tuple[DeclaredEndpoint, ...] = ()
    """Every endpoint of every provider that counts, sorted by name: what is probed, and what health judges."""
    rollouts: Mapping[str, Plan] = field(default_factory=dict)
    """By route, `namespace/name`, what is asked of the rollout machine."""
    budgets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of each consumer, `namespace/name`, the policies that bound its spending."""
    last_good: Mapping[ObjectKey, Mapping[str, Any]] = field(default_factory=dict)
    """To be remembered until the next compilation: of each object the version that serves, or last did."""
    memo: Memo = field(default_factory=Memo, compare=False, repr=False)
    """For the next compilation, which takes less time with it and comes to the same."""

    @property
    def provider_credentials(self) -> Mapping[str, frozenset[tuple[str, str]]]:
        """Return, by ModelProvider, the Secrets with keys that it names, whether a route uses it or not."""
        return {
            key.name: frozenset(entries_of(version))
            for key, version in self.last_good.items()
            if key.kind == "ModelProvider"
        }


def compile(snapshot: Snapshot, installation: Installation, observed: Observed | None = None) -> Compiled:  # noqa: A001  # the word that everybody uses for it; the builtin is never wanted here
    """Compile everything. The order of manifests makes no difference; twice the same input gives the same bytes.

    The contents of manifests never change: an edited object is another one.
    """
    observed = observed or Observed()
    whole = _compile(snapshot, installation, observed)
    wanted = credential_secrets(whole.last_good)
    lacking = {region: wanted - observed.mounted.get(region, wanted) for region in whole.gateways}
    for secrets in sorted({*lacking.values()} - {frozenset()}, key=sorted):
        regions = [region for region in lacking if lacking[region] == secrets]
        fewer = replace(snapshot, manifests=without(snapshot.manifests, secrets, last_good=observed.last_good))
        remembered = mounted(observed.last_good, secrets)
        now = _compile(fewer, installation, replace(observed, last_good=remembered, memo=whole.memo))
        whole = _until_mounted(whole, now, regions, secrets)
    return whole


def _until_mounted(whole: Compiled, now: Compiled, regions: Collection[str], lacking: frozenset[str]) -> Compiled:
    """Let the gateways of some regions go on with what their pods can serve now; all else is as it is to be."""
    providers = whole.last_good.keys() - mounted(whole.last_good, lacking).keys()
    changed = (
        key for key, one in whole.status.items() if key not in now.status or now.status[key].essence != one.essence
    )
    waiting = frozenset({*providers, *changed})
    gateways = {
        region: _before_its_pods(gateway, now.gateways[region], lacking, waiting) if region in regions else gateway
        for region, gateway in whole.gateways.items()
    }
    return replace(
        whole,
        gateways=gateways,
        last_good={
            key: now.last_good.get(key, version) if key in waiting else version
            for key, version in whole.last_good.items()
            if key not in waiting or key in now.last_good
        },
    )


def _before_its_pods(
    wanted: CompiledGateway, now: CompiledGateway, lacking: frozenset[str], waiting: frozenset[ObjectKey]
) -> CompiledGateway:
    """Take the files that its pods can serve, and the pods that are wanted."""
    if wanted.too_large or now.too_large:
        return replace(now, manifests=(), too_large=wanted.too_large or now.too_large, lacking=lacking, waiting=waiting)
    read_at_run = {_name(one): one for one in now.manifests if manifests.is_watched(one)}
    objects = tuple(read_at_run.get(_name(one), one) for one in wanted.manifests)
    return replace(now, manifests=objects, lacking=lacking, waiting=waiting)


def _name(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def _compile(snapshot: Snapshot, installation: Installation, observed: Observed) -> Compiled:
    memo, home = Memo(observed.memo), installation.namespace
    taken = intake(snapshot.manifests, default_namespace=home, last_good=observed.last_good, memo=memo)
    references = References(
        home=installation.namespace,
        geography=Geography(installation.regions),
        namespace_labels=taken.namespace_labels,
        secrets=Secrets(snapshot.secrets, snapshot.unreadable, snapshot.unusable),
        home_secrets_readable=observed.home_secrets_readable,
        absent=observed.absent,
        budget_server=all(layout.budget is not None for layout in observed.layouts.values()),
        recorder=all(layout.recorder is not None for layout in observed.layouts.values()),
        in_cluster=not observed.home_secrets_readable,
        anonymous=anonymous_of(installation),
        prometheus=source_of(installation),
        rollouts=observed.rollouts,
    )
    translation = translate(taken.objects, installation, references, memo)
    remembered = standing(taken, observed.last_good, translation.chosen)
    ended, secrets = endings(observed.exhaustions, translation.configuration), credential_secrets(remembered)
    gateways = {
        gateway.region: _rendered(gateway, installation, replace(observed, memo=memo), ended, secrets)
        for gateway in translation.gateways
    }
    configuration = encode(translation.configuration)
    shared, too_large = _shared(configuration, installation, observed.release)
    return Compiled(
        gateways=gateways,
        reports=translation.reports,
        status=compiled_statuses(
            translation.reports,
            routes={region: gateway.routes for region, gateway in gateways.items()},
            budgets=translation.configuration.consumers,
            expiry={one.name: one.expires_at for gateway in translation.gateways for one in gateway.consumers},
            is_fleet_wide=_is_fleet_wide(installation, observed.release),
            memo=memo,
        ),
        strays=taken.strays,
        key_bindings=translation.key_bindings,
        configuration=configuration,
        manifests=shared,
        too_large=too_large,
        endpoints=translation.endpoints,
        rollouts=translation.rollouts,
        budgets=translation.configuration.consumers,
        last_good=remembered,
        memo=memo.done(),
    )


def pod_layouts(
    installation: Installation,
    budget: BudgetSettings | None,
    *,
    recorder: str | None = None,
    regions: Mapping[str, RegionSettings] | None = None,
) -> Mapping[str, Layout]:
    """Return where each region's pods keep their files: the one place that says so, for the operator and for `render`.

    Of a release it has where budget server and recorder listen, of its `regions` memory limits and packing.
    """
    layout = Layout(
        xds_dir=pod.XDS_DIR,
        keys_dir=pod.KEYS_DIR,
        credentials_dir=pod.CREDENTIALS_DIR,
        listen=ListenAddress(address=_ANY, port=pod.HTTP_PORT),
        metrics_listen=ListenAddress(address=_ANY, port=pod.METRICS_PORT),
        admin=pod.ADMIN_SOCKET,
        access_log=pod.NO_LOG if installation.log.access is AccessLog.NONE else pod.ACCESS_LOG,
        ca_file=pod.CA_FILE,
        instance=f"%ENVIRONMENT({pod.POD_NAME})%",
        budget=None if budget is None else BudgetServer(rpc=budget.rpc, usage=budget.usage),
        recorder=recorder,
        drain=Drain(listen=ListenAddress(address=_ANY, port=pod.DRAIN_PORT), path_variable=pod.DRAIN_PATH),
    )
    own = {name: replace(layout, memory_bytes=r.memory_bytes, packed=r.packed) for name, r in (regions or {}).items()}
    return {region.name: own.get(region.name, layout) for region in installation.served}


def _rendered(
    gateway: ir.Gateway,
    installation: Installation,
    observed: Observed,
    ended: Mapping[str, tuple[ir.Ending, ...]],
    further_secrets: frozenset[str],
) -> CompiledGateway:
    """Render the effective gateway; where it is too large, one that has no more than was declared."""
    layout, release, memo = observed.layouts.get(gateway.region), observed.release, observed.memo
    routes = served_routes(gateway, memo)
    if layout is None:
        return CompiledGateway(ir=gateway, routes=routes)
    made, deployed = tuple[Mapping[str, Any], ...](), observed.deployed.get(gateway.region, frozenset())
    try:
        regions = {region.name for region in installation.regions}
        drained = gateway.region in observed.drained and not observed.drained >= regions
        files, whole = _files(replace(gateway, drained=drained), layout, observed, ended)
        if release is not None:
            made = manifests.render(
                gateway,
                files,
                further_secrets=deployed if further_secrets.issubset(deployed) else further_secrets,
                settings=release.settings,
                namespace=installation.namespace,
                owner_uid=release.owner_uid,
                memo=memo,
            )
    except TooLargeError as error:
        if ended:  # without room for them, gateways ask
            return _rendered(gateway, installation, observed, {}, further_secrets)
        return CompiledGateway(ir=gateway, routes=routes, too_large=str(error))
    return CompiledGateway(
        ir=gateway,
        files=files,
        digest=envoy.digest(files),
        fullness=envoy.fullness(files, layout),
        manifests=made,
        routes=routes,
        without_steps=not whole and has_layers(gateway, observed.health),
    )


def _shared(
    configuration: bytes, installation: Installation, release: HelmRelease | None
) -> tuple[tuple[Mapping[str, Any], ...], str]:
    """Render what belongs to no region; return it, and why something of it is left out."""
    if release is None:
        return (), ""
    try:
        made = budget_configuration.render(
            configuration,
            settings=release.settings,
            namespace=installation.namespace,
            owner_uid=release.owner_uid,
        )
    except TooLargeError as error:
        return (), str(error)
    return made, ""


def _is_fleet_wide(installation: Installation, release: HelmRelease | None) -> bool | None:
    """Tell whether limits hold for all clusters: this one serves all regions, or its store is not its own."""
    server = None if release is None else release.settings.budget_server
    return None if server is None else server.shared or len(installation.served) == len(installation.regions)


def _files(
    gateway: ir.Gateway, layout: Layout, observed: Observed, ended: Mapping[str, tuple[ir.Ending, ...]]
) -> tuple[Mapping[str, bytes], bool]:
    """Return the files, and whether all that was observed is in them."""
    health, memo = observed.health, observed.memo
    now = with_endings(effective(gateway, health), ended)
    moved = {ladder.name for ladder in now.ladders} - {ladder.name for ladder in gateway.ladders}
    try:
        files = envoy.render(now, layout, memo)
        if not moved or envoy.has_room(files, layout, moved):
            return files, True
        in_place = effective(gateway, health, keyed_in_place=True)
        return envoy.render(with_endings(in_place, ended), layout, memo), True
    except TooLargeError:
        if now is gateway:
            raise
    return envoy.render(effective(gateway, without_layers(health), keyed_in_place=True), layout, memo), False
