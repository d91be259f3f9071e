"""A region's gateway as objects: complete, owned, restricted, and with a pod template that rarely changes."""

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest

from builders import US, compiled, endpoint, installation, provider, route, target
from fairlead.compiler import CompiledGateway
from fairlead.controller.context import Context
from fairlead.errors import StateError, TooLargeError
from fairlead.manifests import OWNED_KINDS, REGION_LABEL, carrying, mounted_secrets, render, watched_files
from fairlead.manifests import secrets as needed_secrets
from fairlead.manifests.configuration import WATCHED_FILES, carried, parts
from gateway_values import LABELS, settings

OWNER = "6f1c0c5e-owner"
CREDENTIAL = {"secretName": "global-api", "key": "us"}


def _gateway(*manifests: Mapping[str, Any]) -> CompiledGateway:
    context = Context(
        installation=installation(),
        settings=settings(US),
        watch_namespaces=(),
        lease="lease",
        identity="me",
        owner_uid=OWNER,
    )
    return compiled(*manifests, layouts=context.layouts, home_secrets_readable=False).gateways[US]


def _objects(gateway: CompiledGateway, *, further: tuple[str, ...] = (), **values: Any) -> dict[str, Any]:
    made = render(
        gateway.ir,
        gateway.files,
        further_secrets=further,
        settings=settings(US, **values),
        namespace="fairlead",
        owner_uid=OWNER,
    )
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in made}


CREDENTIALED = provider("p", endpoints=[endpoint("us", US, credential=CREDENTIAL)])
NAME = f"fairlead-gateway-{US}"


def test_everything_that_a_gateway_needs_is_made_in_the_order_of_its_use() -> None:
    made = list(_objects(_gateway(CREDENTIALED, route("chat"))))
    assert made == [
        f"ConfigMap/{NAME}-bootstrap",
        f"ConfigMap/{NAME}-clusters",
        f"ConfigMap/{NAME}-listeners",
        f"ConfigMap/{NAME}-routes",
        f"Service/{NAME}",
        f"PodDisruptionBudget/{NAME}",
        f"Deployment/{NAME}",
    ]


def test_every_object_is_owned_and_labelled_and_of_a_kind_that_is_watched() -> None:
    for found in _objects(_gateway(route("chat")), autoscaling=_scaling()).values():
        assert found["kind"] in OWNED_KINDS
        metadata = found["metadata"]
        assert [owner["uid"] for owner in metadata["ownerReferences"]] == [OWNER]
        assert metadata["labels"][REGION_LABEL] == US
        assert metadata["namespace"] == "fairlead"


def _scaling() -> dict[str, Any]:
    return {
        "enabled": True,
        "minReplicas": 2,
        "maxReplicas": 9,
        "targetCPUUtilizationPercentage": 60,
        "targetRequestsPerSecond": 0,
        "metrics": [],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
    }


def test_every_file_is_in_one_configmap_and_every_configmap_is_mounted() -> None:
    gateway = _gateway(CREDENTIALED, route("chat"))
    objects = _objects(gateway)
    held = [name for key, found in objects.items() if key.startswith("ConfigMap/") for name in found["data"]]
    assert sorted(held) == sorted(path.rpartition("/")[2] for path in gateway.files)
    volumes = objects[f"Deployment/{NAME}"]["spec"]["template"]["spec"]["volumes"]
    mounted = {
        source["configMap"]["name"] for volume in volumes for source in volume.get("projected", {}).get("sources", ())
    }
    mounted |= {volume["configMap"]["name"] for volume in volumes if "configMap" in volume}
    assert mounted == {key.partition("/")[2] for key in objects if key.startswith("ConfigMap/")}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param([route("chat", target("p", "other"))], True, id="a model swap"),
        pytest.param([route("chat"), route("more")], True, id="another route"),
        pytest.param([], True, id="no route at all"),
    ],
)
def test_what_changes_often_is_not_in_the_pod_template(change: list[dict[str, Any]], same: bool) -> None:
    models = [{"name": name, "usdPerMillionTokens": {"input": "1", "output": "2"}} for name in ("small", "other")]
    with_models = provider("p", endpoints=[endpoint("us", US, credential=CREDENTIAL)], models=models)
    further = ("global-api",)  # the providers' Secrets, used or not
    before = _objects(_gateway(with_models, route("chat")), further=further)[f"Deployment/{NAME}"]
    after = _objects(_gateway(with_models, *change), further=further)[f"Deployment/{NAME}"]
    assert (before == after) is same


def test_the_chart_s_version_is_not_in_the_pod_template() -> None:
    pod = _objects(_gateway(route("chat")))[f"Deployment/{NAME}"]["spec"]["template"]
    assert "helm.sh/chart" not in pod["metadata"]["labels"]
    assert LABELS.items() <= pod["metadata"]["labels"].items()


def test_credentials_are_mounted_by_name_and_may_be_missing() -> None:
    gateway = _gateway(CREDENTIALED, route("chat"))
    assert needed_secrets(gateway.ir) == {"global-api"}
    pod = _objects(gateway, further=("another.secret",))[f"Deployment/{NAME}"]["spec"]["template"]
    assert mounted_secrets(pod) == {"global-api", "another.secret", "fairlead-keys"}
    by_secret = {volume["secret"]["secretName"]: volume for volume in pod["spec"]["volumes"] if "secret" in volume}
    assert by_secret["global-api"]["secret"]["optional"]
    assert "." not in by_secret["another.secret"]["name"]
    (container,) = pod["spec"]["containers"]
    assert "/etc/fairlead/credentials/global-api" in [mount["mountPath"] for mount in container["volumeMounts"]]


def test_a_pod_is_restricted_and_drains() -> None:
    pod = _objects(_gateway(route("chat")))[f"Deployment/{NAME}"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["lifecycle"]["preStop"]["httpGet"]["port"] == 9091
    assert pod["terminationGracePeriodSeconds"] > 300


def test_the_hook_s_path_is_the_pod_s_own_and_stands_in_no_file() -> None:
    objects = _objects(_gateway(route("chat")))
    (container,) = objects[f"Deployment/{NAME}"]["spec"]["template"]["spec"]["containers"]
    path = container["lifecycle"]["preStop"]["httpGet"]["path"]
    assert {"name": "DRAIN_PATH", "value": path} in container["env"]
    bootstrap = objects[f"ConfigMap/{NAME}-bootstrap"]["data"]["bootstrap.json"]
    assert path not in bootstrap
    assert 'os.getenv(\\"DRAIN_PATH\\")' in bootstrap
    assert OWNER not in path


def test_an_autoscaler_owns_the_number_of_replicas() -> None:
    objects = _objects(_gateway(route("chat")), autoscaling=_scaling())
    assert "replicas" not in objects[f"Deployment/{NAME}"]["spec"]
    scaler = objects[f"HorizontalPodAutoscaler/{NAME}"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 9)
    assert scaler["scaleTargetRef"]["name"] == NAME


@pytest.mark.parametrize(
    ("values", "spec"),
    [
        pytest.param({"type": "LoadBalancer", "port": 8080, "annotations": {}}, {"type": "LoadBalancer"}, id="a type"),
        pytest.param(
            {"type": "LoadBalancer", "port": 80, "annotations": {}, "externalTrafficPolicy": "Local"},
            {"externalTrafficPolicy": "Local"},
            id="whatever a Service's spec may hold",
        ),
    ],
)
def test_the_service(values: dict[str, Any], spec: dict[str, Any]) -> None:
    service = _objects(_gateway(route("chat")), service=values)[f"Service/{NAME}"]
    assert spec.items() <= service["spec"].items()
    assert [(port["name"], port["port"]) for port in service["spec"]["ports"]] == [("http", values["port"])]
    assert service["spec"]["selector"] == {**LABELS, REGION_LABEL: US}


def test_a_part_that_does_not_fit_is_refused() -> None:
    gateway = _gateway(route("chat"))
    files = {**gateway.files, "xds/rds.json": b"x" * (900 * 1024 + 1)}
    with pytest.raises(TooLargeError, match="want at most"):
        render(gateway.ir, files, settings=settings(US), namespace="fairlead", owner_uid=OWNER)


def test_a_long_region_still_has_a_name() -> None:
    from fairlead.manifests import naming

    long = "r" * 60
    name = naming.gateway(settings(long), long)
    assert len(f"{name}-listeners") <= 63
    assert name != naming.gateway(settings(long), "r" * 59 + "s")


def test_pods_are_added_by_cpu_and_by_requests_where_asked() -> None:
    by_cpu = _objects(_gateway(route("chat")), autoscaling=_scaling())[f"HorizontalPodAutoscaler/{NAME}"]
    assert [one["type"] for one in by_cpu["spec"]["metrics"]] == ["Resource"]
    scaling = {**_scaling(), "targetRequestsPerSecond": 150}
    both = _objects(_gateway(route("chat")), autoscaling=scaling)[f"HorizontalPodAutoscaler/{NAME}"]
    cpu, requests = both["spec"]["metrics"]
    assert cpu == by_cpu["spec"]["metrics"][0]
    assert requests["pods"] == {
        "metric": {"name": "fairlead_requests_per_second"},
        "target": {"type": "AverageValue", "averageValue": "150"},
    }


def test_further_measures_and_the_pace_are_kubernetes_own_words() -> None:
    queue = {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "30"}}}
    pace = {"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]}}
    scaling = {**_scaling(), "metrics": [queue], "behavior": pace}
    spec = _objects(_gateway(route("chat")), autoscaling=scaling)[f"HorizontalPodAutoscaler/{NAME}"]["spec"]
    assert [one["type"] for one in spec["metrics"]] == ["Resource", "External"]
    assert spec["metrics"][1] == queue
    assert spec["behavior"] == pace
    scaling["behavior"] = {}
    spec = _objects(_gateway(route("chat")), autoscaling=scaling)[f"HorizontalPodAutoscaler/{NAME}"]["spec"]
    assert "behavior" not in spec, "as Kubernetes has it by itself"


def test_packed_a_gateway_has_configmaps_of_other_names_and_what_unpacks_them() -> None:
    gateway = _gateway(CREDENTIALED, route("chat"))
    values = settings(US, configMaps="Gzip")
    objects = _objects(gateway, configMaps="Gzip")
    assert [name for name in objects if name.startswith("ConfigMap/")] == [
        f"ConfigMap/{NAME}-bootstrap",
        f"ConfigMap/{NAME}-packed-clusters",
        f"ConfigMap/{NAME}-packed-listeners",
        f"ConfigMap/{NAME}-packed-routes",
    ]
    by_name = {key.partition("/")[2]: found for key, found in objects.items()}
    assert watched_files(by_name.get, values, US) == {path: gateway.files[path] for path in WATCHED_FILES}
    assert watched_files(by_name.get, settings(US), US) is None, "there are no plain ones"
    pod = objects[f"Deployment/{NAME}"]["spec"]["template"]["spec"]
    (unpack,), (envoy,) = pod["initContainers"], pod["containers"]
    assert unpack["image"] == "operator:1"
    assert unpack["restartPolicy"] == "Always", "it lives as long as the pod"
    assert unpack["securityContext"] == envoy["securityContext"]
    assert {"name": "xds", "mountPath": "/etc/fairlead/xds", "readOnly": True} in envoy["volumeMounts"]
    assert {"name": "xds", "mountPath": "/etc/fairlead/xds"} in unpack["volumeMounts"]
    assert "initContainers" not in _objects(gateway)[f"Deployment/{NAME}"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("config_maps", ["Plain", "Gzip"])
def test_other_files_are_carried_in_the_form_that_there_is(config_maps: str) -> None:
    before, after = _gateway(CREDENTIALED, route("chat")), _gateway(CREDENTIALED, route("talk"))
    values = settings(US, configMaps=config_maps)
    made = carrying(_objects(before, configMaps=config_maps).values(), after.files)
    by_name = {one["metadata"]["name"]: one for one in made}
    assert watched_files(by_name.get, values, US) == {path: after.files[path] for path in WATCHED_FILES}


@pytest.mark.parametrize("damage", [None, "", "bm8gZ3ppcA==", 7])
def test_damaged_packed_files_are_as_good_as_none(damage: Any) -> None:
    gateway, values = _gateway(route("chat")), settings(US, configMaps="Gzip")
    by_name = {key.partition("/")[2]: found for key, found in _objects(gateway, configMaps="Gzip").items()}
    by_name[f"{NAME}-packed-routes"] = {"binaryData": {"rds.json.gz": damage}}
    assert watched_files(by_name.get, values, US) is None


@pytest.mark.parametrize("config_maps", ["Plain", "Gzip"])
def test_one_file_is_found_where_it_is_carried_and_nowhere_else(config_maps: str) -> None:
    gateway = _gateway(route("chat"))
    maps = [one for one in _objects(gateway, configMaps=config_maps).values() if one["kind"] == "ConfigMap"]
    found = [carried(one, "xds/rds.json") for one in maps]
    assert [content for content in found if content is not None] == [gateway.files["xds/rds.json"]]


def test_a_file_that_is_not_packed_as_it_should_be_is_named_by_its_config_map() -> None:
    damaged = {"metadata": {"name": "gw-packed-routes"}, "binaryData": {"rds.json.gz": "bm8gZ3ppcA=="}}
    with pytest.raises(StateError, match=r"^gw-packed-routes: got no gzip, want what Fairlead wrote$"):
        carried(damaged, "xds/rds.json")


def test_what_does_not_shrink_enough_is_refused_with_what_to_do() -> None:
    noise = hashlib.shake_256(b"noise").hexdigest(2_000_000).encode()  # hexadecimal digits shrink to a half
    with pytest.raises(TooLargeError, match=r"routes: got .* bytes for one ConfigMap, want at most 921600"):
        parts({"xds/rds.json": noise}, packed=True)
    assert parts({"xds/rds.json": noise[:1_000_000]}, packed=True), "plain it would not fit"
