"""How gateways run in this cluster: the Helm values of each region, as the operator reads them from `gateways.json`.

The chart's `values.schema.json` is what checks values; here, that all of them came, of the right types.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from fairlead.errors import InstallationError
from fairlead.manifests import quantity

COMPONENT_LABEL = "app.kubernetes.io/component"
"""On everything of a release: which part of it. The chart says so."""
REGION_LABEL = "fairlead.dev/region"
"""On everything that belongs to one region's gateway: which region."""
IN_ROTATION_LABEL = "fairlead.dev/in-rotation"
"""On a gateway pod, "true" or "false": whether the Service over all regions, which selects by it, has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaling:
    """Bounds and aim of a HorizontalPodAutoscaler."""

    min_replicas: int
    max_replicas: int
    target_cpu_percent: int
    requests_per_pod: int
    """Requests in a second that a pod is to have; 0 = that is no measure."""
    metrics: tuple[Mapping[str, Any], ...]
    """Further measures, in Kubernetes' own words."""
    behavior: Mapping[str, Any]
    """How fast pods come and go, in Kubernetes' own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where pods go and what they may use, in Kubernetes' own words."""

    resources: Mapping[str, Any]
    node_selector: Mapping[str, str]
    tolerations: tuple[Mapping[str, Any], ...]
    affinity: Mapping[str, Any]
    topology_keys: tuple[str, ...]
    priority_class_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionSettings:
    """How one region's gateway runs."""

    replicas: int
    autoscaling: Autoscaling | None
    """Given: the autoscaler owns the number of replicas."""
    max_unavailable: int | str
    concurrency: int
    """Worker threads of Envoy; 0 = as many as there are CPUs."""
    grace_period_s: int
    """The longest that a pod waits for its streams."""
    service: Mapping[str, Any]
    """`type`, `port`, `annotations` and further fields of a Service's spec."""
    placement: Placement
    pod_annotations: Mapping[str, str]
    pod_labels: Mapping[str, str]
    packed: bool
    """Whether the ConfigMaps carry gzip, which a container of each pod unpacks."""

    @property
    def memory_bytes(self) -> int | None:
        """What a pod may take before it is killed; None = nothing bounds it."""
        limits = self.placement.resources.get("limits") or {}
        memory = quantity.number(limits.get("memory"))
        return None if memory is None else int(memory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image, and when a kubelet asks for it."""

    image: str
    pull_policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings:
    """The budget server of this cluster."""

    rpc: str
    """`host:port` of its checks and reports."""
    usage: str
    """`host:port` of `GET /v1/usage`."""
    configuration: str
    """The ConfigMap with its configuration, which the operator writes."""
    shared: bool
    """Its store is given by a URL, and not this cluster's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What all gateways of a release share, and what differs per region."""

    name_prefix: str
    owner: str
    """The ConfigMap of the release that owns every object of a gateway: when it goes, they go."""
    keys_secret: str
    """The Secret of the release with the API keys that gateways accept."""
    service_account: str
    labels: Mapping[str, str]
    """On every object; some change with each version of the chart."""
    selector: Mapping[str, str]
    """What tells gateways' pods from others; never changes."""
    image: str
    pull_policy: str
    pull_secrets: tuple[str, ...]
    unpacking: Image
    """What unpacks ConfigMaps in pods of regions that are `packed`: the operator's own image."""
    budget_server: BudgetSettings | None
    """None = there is none, and BudgetPolicies have no effect."""
    recorder: str | None
    """`host:port` of the recorder of this cluster; None = there is none."""
    regions: Mapping[str, RegionSettings]
    serves_when_all_drained: bool
    """Whether the Service over all regions keeps its pods when every region of this cluster is drained."""


_SETTINGS: TypeAdapter[Settings] = TypeAdapter(Settings)


def decode_settings(document: Any) -> Settings:
    """Read `gateways.json`, which the chart writes.

    Raises:
        InstallationError: something is missing in it, or of another type; the message says what.

    """
    try:
        settings = _decode(document)
        # As JSON, since what is strict there are the values, not the classes that hold them.
        return _SETTINGS.validate_json(json.dumps(asdict(settings)), strict=True)
    except KeyError as error:
        raise InstallationError(f"got no {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise InstallationError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise InstallationError(f"got another form: {error}") from None


def _decode(document: Mapping[str, Any]) -> Settings:
    return Settings(
        name_prefix=document["namePrefix"],
        owner=document["owner"],
        keys_secret=document["keysSecret"],
        service_account=document["serviceAccount"],
        labels=document["labels"],
        selector=document["selector"],
        image=document["image"],
        pull_policy=document["pullPolicy"],
        pull_secrets=tuple(document["pullSecrets"]),
        unpacking=Image(image=document["operatorImage"], pull_policy=document["operatorPullPolicy"]),
        budget_server=BudgetSettings(**document["budgetServer"]) if document["budgetServer"] else None,
        recorder=document["recorder"] or None,
        regions={name: _region(region) for name, region in document["regions"].items()},
        serves_when_all_drained=document["whenAllDrained"] == "Serve",
    )


def _region(values: Mapping[str, Any]) -> RegionSettings:
    scaling = values["autoscaling"]
    return RegionSettings(
        replicas=values["replicas"],
        autoscaling=Autoscaling(
            min_replicas=scaling["minReplicas"],
            max_replicas=scaling["maxReplicas"],
            target_cpu_percent=scaling["targetCPUUtilizationPercentage"],
            requests_per_pod=scaling["targetRequestsPerSecond"],
            metrics=tuple(scaling["metrics"]),
            behavior=scaling["behavior"],
        )
        if scaling["enabled"]
        else None,
        max_unavailable=values["maxUnavailable"],
        concurrency=values["concurrency"],
        grace_period_s=values["gracePeriodSeconds"],
        service=values["service"],
        placement=Placement(
            resources=values["resources"],
            node_selector=values["nodeSelector"],
            tolerations=tuple(values["tolerations"]),
            affinity=values["affinity"],
            topology_keys=tuple(values["topologyKeys"]),
            priority_class_name=values["priorityClassName"],
        ),
        pod_annotations=values["podAnnotations"],
        pod_labels=values["podLabels"],
        packed=values["configMaps"] == "Gzip",
    )
