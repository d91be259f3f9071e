"""What the chart makes of values, before there is a cluster: `helm template`, and the values of the docs."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from harness.chart import Chart, one
from harness.cluster import ROOT
from harness.install import CHART, VALUES

from fairlead.api.installation import Installation, decode_installation
from fairlead.manifests import decode_settings

TWO: Mapping[str, Any] = {
    "installation": {"regions": [{"name": "us-east-1", "geo": "us"}, {"name": "eu-west-1", "geo": "eu"}]}
}
RECORDS: Mapping[str, Any] = {
    **TWO,
    "dns": {
        "hostname": "llm.example.com",
        "source": "DNSEndpoint",
        "targets": {"us-east-1": ["198.51.100.10"], "eu-west-1": ["203.0.113.10"]},
    },
}


def _scaling(**values: Any) -> dict[str, Any]:
    return {"gateway": {"autoscaling": {"enabled": True, **values}}}


def test_the_service_over_all_regions_selects_what_is_in_rotation_nearest_first(chart: Chart) -> None:
    objects = chart(VALUES)
    spec = one(objects, "Service", "fairlead-gateway")["spec"]
    assert spec["trafficDistribution"] == "PreferClose"
    assert spec["selector"]["fairlead.dev/in-rotation"] == "true"
    assert "fairlead.dev/region" not in spec["selector"]
    assert spec["ports"] == [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    settings = json.loads(one(objects, "ConfigMap", "fairlead-installation")["data"]["gateways.json"])
    assert {name: spec["selector"][name] for name in settings["selector"]} == settings["selector"]
    assert settings["whenAllDrained"] == "Serve"
    assert one(objects, "ConfigMap", "fairlead-drains")["data"] == {"regions": "us-east-1 eu-west-1"}
    assert [found for found in objects if found["kind"] == "DNSEndpoint"] == []


def test_without_it_there_is_none(chart: Chart) -> None:
    objects = chart({"anyRegion": {"enabled": False}})
    services = [found["metadata"]["name"] for found in objects if found["kind"] == "Service"]
    assert "fairlead-gateway" not in services
    assert "fairlead-operator" in services


def test_external_dns_reads_the_service(chart: Chart) -> None:
    values = {
        "installation": {**TWO["installation"], "serve": ["eu-west-1"]},
        "anyRegion": {"service": {"type": "LoadBalancer", "annotations": {"example.com/lb": "public"}}},
        "dns": {
            "hostname": "llm.example.com",
            "routing": "Latency",
            "awsRegions": {"eu-west-1": "eu-west-3"},
            "healthCheckIds": {"eu-west-1": "1-2"},
        },
    }
    annotations = one(chart(values), "Service", "fairlead-gateway")["metadata"]["annotations"]
    of_dns = {
        name.removeprefix("external-dns.alpha.kubernetes.io/"): value
        for name, value in annotations.items()
        if name != "example.com/lb"
    }
    assert of_dns == {
        "hostname": "llm.example.com",
        "ttl": "30",
        "set-identifier": "eu-west-1",
        "aws-region": "eu-west-3",
        "aws-health-check-id": "1-2",
    }
    assert annotations["example.com/lb"] == "public"


def test_records_of_regions_whose_addresses_are_given(chart: Chart) -> None:
    simple = one(chart(RECORDS), "DNSEndpoint", "fairlead-gateway")["spec"]["endpoints"]
    assert [record["targets"] for record in simple] == [["198.51.100.10", "203.0.113.10"]]
    assert simple[0]["recordType"] == "A"
    by_latency = {**RECORDS, "dns": {**RECORDS["dns"], "routing": "Latency", "healthCheckIds": {"us-east-1": "1-2"}}}
    records = one(chart(by_latency), "DNSEndpoint", "fairlead-gateway")["spec"]["endpoints"]
    assert [(record["setIdentifier"], record["targets"]) for record in records] == [
        ("us-east-1", ["198.51.100.10"]),
        ("eu-west-1", ["203.0.113.10"]),
    ]
    assert records[0]["providerSpecific"] == [
        {"name": "aws/region", "value": "us-east-1"},
        {"name": "aws/health-check-id", "value": "1-2"},
    ]
    named = {**by_latency["dns"], "targets": {"us-east-1": ["us.example.com"], "eu-west-1": ["2001:db8::1"]}}
    records = one(chart({**RECORDS, "dns": named}), "DNSEndpoint", "fairlead-gateway")["spec"]["endpoints"]
    assert [record["recordType"] for record in records] == ["CNAME", "AAAA"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"dns": {"hostname": "llm.example.com"}}, "want `LoadBalancer`"),
        ({"dns": {"hostname": "llm.example.com"}, "anyRegion": {"enabled": False}}, "want a Service to be annotated"),
        ({"dns": {"hostname": "no blanks"}}, "hostname"),
        ({**RECORDS, "dns": {**RECORDS["dns"], "targets": {"us-east-1": ["1.2.3.4"]}}}, "no address of `eu-west-1`"),
        ({**RECORDS, "dns": {**RECORDS["dns"], "targets": {"mars": ["1.2.3.4"]}}}, "got `mars`"),
        (
            {**RECORDS, "dns": {**RECORDS["dns"], "targets": {"us-east-1": ["1.2.3.4"], "eu-west-1": ["::1"]}}},
            "addresses of one kind",
        ),
        ({"anyRegion": {"whenAllDrained": "Maybe"}}, "whenAllDrained"),
        (_scaling(minReplicas=11), "got minReplicas 11 and maxReplicas 10"),
        (_scaling(behavior={"scaleDown": {"policies": []}}), "minItems"),
        (_scaling(behavior={"scaleDown": {"tolerance": "0.1"}}), "additional properties"),
        (_scaling(metrics=[{"pods": {}}]), "type"),
        ({"gateway": {**_scaling()["gateway"], "resources": {"requests": {"cpu": None}}}}, "no resources.requests.cpu"),
        ({"installation": {"cors": {"allowOrigins": ["https://chat.example.com/"]}}}, "does not match pattern"),
        ({"installation": {"cors": {"allowOrigins": []}}}, "minItems"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_wrong_values_say_what_is_wanted(chart: Chart, values: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        chart(values)


def test_the_values_of_the_page_on_the_way_in_are_taken(chart: Chart) -> None:
    page = (ROOT / "docs" / "way-in.md").read_text()
    blocks = re.findall(r"^```yaml\n# values.yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    for block in blocks:
        assert one(chart(yaml.safe_load(block)), "Service", "fairlead-gateway")


def test_the_values_of_the_page_on_load_are_taken_and_add_up(chart: Chart) -> None:
    page = (ROOT / "docs" / "load.md").read_text()
    (block,) = re.findall(r"^```yaml\n# values.yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    files = one(chart(yaml.safe_load(block)), "ConfigMap", "fairlead-installation")["data"]
    regions = decode_settings(json.loads(files["gateways.json"])).regions
    us, eu = (regions[name].autoscaling for name in ("us-east-1", "eu-west-1"))
    assert us
    assert eu
    assert (us.min_replicas, eu.min_replicas, us.max_replicas) == (4, 2, 15)
    assert (us.behavior["scaleDown"]["stabilizationWindowSeconds"], set(us.behavior)) == (600, {"scaleUp", "scaleDown"})
    assert eu.behavior == {"scaleDown": {"stabilizationWindowSeconds": 300}}


def test_origins_stand_in_the_installation_as_they_are_written(chart: Chart) -> None:
    origins = ["https://chat.example.com", "http://[::1]:5173", "tauri://localhost"]
    objects = chart({"installation": {"cors": {"allowOrigins": origins}}})
    written = one(objects, "ConfigMap", "fairlead-installation")["data"]["installation.yaml"]
    installation = decode_installation(yaml.safe_load(written))
    assert isinstance(installation, Installation)
    assert installation.cors
    assert list(installation.cors.allow_origins) == origins


def test_boards_are_config_maps_that_grafana_s_sidecar_takes_up(chart: Chart) -> None:
    wanted = {"enabled": True, "annotations": {"grafana_folder": "LLM"}}
    maps = [found for found in chart({**TWO, "metrics": {"dashboards": wanted}}) if found["kind"] == "ConfigMap"]
    boards = {name: text for found in maps for name, text in found["data"].items() if name.startswith("fairlead-")}
    assert boards == {path.name: path.read_text().rstrip("\n") for path in (CHART / "dashboards").iterdir()}
    marked = [found["metadata"] for found in maps if found["metadata"]["labels"].get("grafana_dashboard") == "1"]
    assert len(marked) == len(boards)
    assert {one["annotations"]["grafana_folder"] for one in marked} == {"LLM"}
    assert not [found for found in chart(TWO) if "dashboard" in found["metadata"]["name"]]


def test_answers_that_are_shared_have_a_key_and_a_store_that_only_servers_know(chart: Chart) -> None:
    objects = chart({"budgetServer": {"answersStoreSecret": {"name": "mine"}}})
    key = one(objects, "Secret", "fairlead-answers")["stringData"]["key"]
    assert len(key) >= 32
    holders = [found for found in objects if key in json.dumps(found)]
    assert [(found["kind"], found["metadata"]["name"]) for found in holders] == [("Secret", "fairlead-answers")]
    users = [found for found in objects if '"fairlead-answers"' in json.dumps(found) and found["kind"] != "Secret"]
    assert [(found["kind"], found["metadata"]["name"]) for found in users] == [("Deployment", "fairlead-budget-server")]
    rules = one(objects, "NetworkPolicy", "fairlead-budget-server")["spec"]
    # Whoever reaches the port `usage` could read and replace answers.
    (peers,) = [rule["from"] for rule in rules["ingress"] if {"port": "usage", "protocol": "TCP"} in rule["ports"]]
    (peer,) = peers
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "gateway"
    assert "namespaceSelector" not in peer
    assert {"ports": [{"port": port, "protocol": "TCP"} for port in (6379, 6380)]} in rules["egress"]
