"""The picture of a cluster: the objects' own status, and what gateways count, asked for through the API server."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from fairlead.adapters import kube_client, kube_forward
from fairlead.adapters.gateway_metrics import GatewayMetrics
from fairlead.adapters.kube import Kube, Object
from fairlead.budget.price import Price
from fairlead.console import picture
from fairlead.console.picture import NO_BUDGET, Picture
from fairlead.controller import overview, request_logs, spending
from fairlead.errors import ClusterError, EnvoyError
from fairlead.manifests import COMPONENT_LABEL, IN_ROTATION_LABEL, REGION_LABEL
from fairlead.manifests.paths import METRICS_PORT
from fairlead.runtime import feedback
from fairlead.runtime.ejections import Ejections, ejections
from fairlead.status import is_ill

Json = dict[str, Any]
_TAKEN = ("Accepted", "ResolvedRefs")
_PART = {"app.kubernetes.io/part-of": "fairlead"}
_BUDGET_SERVERS = {**_PART, COMPONENT_LABEL: "budget-server"}


class ClusterSource:
    """A cluster, and the installation's namespace in it."""

    def __init__(self, kube: Kube, metrics: GatewayMetrics, *, namespace: str, called: str) -> None:
        self._kube, self._metrics = kube, metrics
        self._namespace, self._called = namespace, called

    @property
    def metrics(self) -> GatewayMetrics:
        """Through the API server's port-forward."""
        return self._metrics

    async def gateways(self) -> Mapping[str, tuple[str, ...]]:
        """Return the pods of each region that are ready; none where they may not be listed."""
        with suppress(ClusterError):
            return self._addresses(await self._pods())
        return {}

    async def prices(self) -> Mapping[str, Price]:
        """Return what the catalogues say."""
        return await request_logs.prices(self._kube, namespace=self._namespace)

    async def _pods(self) -> list[Object]:
        pods = await self._kube.list("Pod", namespace=self._namespace, labels=_PART)
        return [pod for pod in pods if _region_of(pod) and not _has_ended(pod)]

    def _addresses(self, pods: Iterable[Object]) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for pod in filter(_is_ready, pods):
            address = f"{self._namespace}/{pod['metadata']['name']}:{METRICS_PORT}"
            found[_region_of(pod)] = (*found.get(_region_of(pod), ()), address)
        return found

    async def _urls(self) -> dict[str, str]:
        """Return where each region's gateways are called inside the cluster; none where Services may not be listed."""
        with suppress(ClusterError):
            return {
                region: f"http://{one['metadata']['name']}.{self._namespace}.svc:{one['spec']['ports'][0]['port']}/v1"
                for one in await self._kube.list("Service", namespace=self._namespace, labels=_PART)
                if (region := _region_of(one))
            }
        return {}

    async def look(self) -> Picture:
        """Return the picture of the moment; raises `ClusterError`, which says what to do."""
        described = await overview.read(self._kube, namespace=None)
        money = await spending.read(self._kube, namespace=None)
        alerts = []
        try:
            pods: list[Object] | None = await self._pods()
        except ClusterError as error:
            pods = None
            alerts.append(f"pods of gateways may not be seen: {error}")
        addresses = self._addresses(pods or ())
        told = dict(
            zip(
                addresses,
                await asyncio.gather(*(ejections(self._metrics, each) for each in addresses.values())),
                strict=True,
            )
        )
        alerts += [
            f"a gateway of {region} cannot be asked what it leaves out and counts: {one.problems[0]}"
            for region, one in sorted(told.items())
            if one.problems
        ]
        return draw(
            described,
            money,
            pods,
            told,
            source=f"cluster {self._called}, namespace {self._namespace}",
            urls=await self._urls(),
            alerts=alerts,
            rated=feedback.told(await self._ratings()),
        )

    async def _ratings(self) -> list[str]:
        """Return what each budget server shows of feedback; nothing of those that may not be seen, or do not answer."""
        found = []
        with suppress(ClusterError):
            pods = await self._kube.list("Pod", namespace=self._namespace, labels=_BUDGET_SERVERS)
            for pod in filter(_is_ready, pods):
                with suppress(EnvoyError):
                    address = f"{self._namespace}/{pod['metadata']['name']}:{feedback.PORT}"
                    found.append(await self._metrics.read(address, only="^fairlead_feedback"))
        return found


def draw(
    described: Json,
    money: Json,
    pods: Sequence[Object] | None,
    told: Mapping[str, Ejections],
    *,
    source: str,
    urls: Mapping[str, str],
    alerts: Sequence[str] = (),
    rated: Sequence[Json] = (),
) -> Picture:
    """Draw what `overview` and `spending` describe.

    `pods`: None where they may not be listed. `told`: what gateways said of this moment, by region. `urls`: where each
    region is called.
    """
    known = picture.endpoints(described["endpoints"], [is_ill(one) for one in described["endpoints"]])
    ladders = [
        ladder
        for region in described["regions"]
        for route in region["routes"]
        for ladder in picture.ladders(
            route["name"], region["name"], route, known, told.get(region["name"], Ejections()).targets
        )
    ]
    if any(route["ladder"] and not route["answers"] for region in described["regions"] for route in region["routes"]):
        alerts = (*alerts, "the operator is of an older version, which does not tell the ladders of all routes")
    geos = {_region_of(pod): "" for pod in pods or ()} | {one["name"]: one["geo"] for one in described["regions"]}
    return Picture(
        source=source,
        alerts=alerts,
        regions=[
            {
                "name": name,
                "geo": geos[name],
                "address": urls.get(name, ""),
                **picture.gateway(_state(name, pods), serves := picture.serving(name, ladders)),
                "endpoints": [one for one in known if one["region"] == name],
                "serves": serves,
            }
            for name in sorted(geos)
        ],
        routes=picture.routes(ladders),
        endpoints=known,
        failing=[
            {"subject": _subject(one), "message": overview.why(one)}
            for one in described["objects"]
            if not one["ready"] and not _is_refused(one)
        ],
        rollouts=described["rollouts"],
        budgets=_budgets(money)
        if money["policies"] or money["savings"] or money["unbudgeted"] or money["caches"] or money["in_flight"]
        else None,
        money="" if money["policies"] else NO_BUDGET,
        refusals=[
            {"subject": _subject(one), "where": "", "message": overview.why(one)}
            for one in described["objects"]
            if _is_refused(one)
        ],
        classifiers=described["classifiers"],
        feedback=rated,
    )


def _state(region: str, pods: Sequence[Object] | None) -> str:
    """Say how the pods of a region stand: as a `fairlead up` does of its one gateway, where all are ready."""
    if pods is None:
        return picture.UNKNOWN
    own = [pod for pod in pods if _region_of(pod) == region]
    ready = sum(map(_is_ready, own))
    if not own:
        return "No pods"
    if ready < len(own):
        return f"{ready} of {len(own)} pods ready"
    drained = all(pod["metadata"]["labels"].get(IN_ROTATION_LABEL) == "false" for pod in own)
    return "Drained" if drained else picture.SERVES


def _subject(one: Json) -> str:
    return f"{one['kind']} {one['namespace']}/{one['name']}"


def _is_refused(one: Json) -> bool:
    """Tell whether an object is not taken as it is written."""
    return one["judged"] and any(found["type"] in _TAKEN and found["status"] == "False" for found in one["conditions"])


def _region_of(found: Object) -> str:
    return str(found["metadata"].get("labels", {}).get(REGION_LABEL, ""))


def _has_ended(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"] or pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _budgets(money: Json) -> Json:
    policies = [
        {
            "name": policy["name"],
            "limit": float(policy["limitUSD"]),
            "each": "together" if policy["scope"] == "Shared" else "each",
            "resets": policy["windowEnd"],
            "note": _note(policy),
            "spenders": _spenders(policy),
        }
        for policy in money["policies"]
    ]
    unbudgeted = [{"who": who, "spent": None} for who in money["unbudgeted"]]
    return picture.budgets(policies, money["savings"], unbudgeted, money["caches"], money["in_flight"])


def _note(policy: Json) -> str:
    """Say why a policy bounds nobody, or why nothing is known of it; empty where it does."""
    enforced = policy["enforced"]
    if enforced["status"] == "True":
        return "" if policy["spentUSD"] is not None else "nothing is known of its window yet"
    return f"{enforced['reason'] or 'Pending'}: {enforced['message'] or 'no operator has judged it yet'}"


def _spenders(policy: Json) -> list[Json]:
    return [
        picture.spender(
            one["consumer"],
            spent=float(one["spentUSD"]),
            limit=float(policy["limitUSD"]),
            stage=next(
                (stage["action"] for stage in reversed(policy["stages"]) if one["consumer"] in stage.get("named", ())),
                None,
            ),
        )
        for one in policy["topSpenders"]
    ]


@asynccontextmanager
async def connect(context: str | None, *, namespace: str) -> AsyncIterator[ClusterSource]:
    """Connect to a cluster; raises `ClusterError`."""
    async with kube_client.connect(context) as kube, kube_forward.connect(context) as metrics:
        yield ClusterSource(kube, metrics, namespace=namespace, called=context or "of KUBECONFIG")
