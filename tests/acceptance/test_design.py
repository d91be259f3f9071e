"""The objects that the design gives as examples, as they stand there, in two regions; then one breaks and is mended."""

import json
from collections.abc import Callable

import pytest
import yaml
from running_up import until
from world import REGIONS, World, endpoint, provider, route, secret

pytestmark = pytest.mark.envoy

US, EU = REGIONS[:2]
KEY = "sk-agent-7"
OBJECTS = """
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {name: global-api, namespace: fairlead}
spec:
  allowedRoutes: {namespaces: {from: All}}
  protocol: OpenAI
  endpoints:
  - {name: us, region: us-east-1, baseURL: "US-URL", credential: {secretName: global-api, key: us}}
  - name: eu
    region: eu-west-1
    baseURL: EU-URL
    credential: {secretName: global-api, key: eu, header: api-key}
    models: [{name: deepseek-v4-flash, id: dsv4-eu}]
  healthCheck: {type: HTTP, path: /models, interval: 10s, timeout: 2s, unhealthyThreshold: 3, healthyThreshold: 2}
  circuitBreaker: {consecutiveFailures: 5, openFor: 60s}
  models:
  - {name: deepseek-v4-flash, id: deepseek-ai/DeepSeek-V4-Flash,
     usdPerMillionTokens: {input: "0.18", output: "0.25", cachedInput: "0.02"},
     contextWindow: 128000, maxOutputTokens: 8192}
  - {name: bge-large, type: Embedding, usdPerMillionTokens: {input: "0.02"}}
---
apiVersion: fairlead.dev/v1alpha1
kind: ModelRoute
metadata: {name: chat, namespace: team-web}
spec:
  modelNames: [chat, gpt-4o]
  consumers: {namespaces: {from: Same}, selector: {matchLabels: {tier: pro}}}
  regions: [us-east-1, eu-west-1]
  residency: Geo
  primary: {provider: global-api, model: deepseek-v4-flash}
  fallbacks: [{provider: vllm, model: qwen3-32b}]
  downgradeTo: chat-small
  maxAttempts: 3
  maxOutputTokens: 2000
  timeouts: {firstByte: 8s, response: 60s, streamIdle: 60s, request: 300s}
---
apiVersion: fairlead.dev/v1alpha1
kind: ModelConsumer
metadata: {name: agent-7, namespace: team-web, labels: {team: web, kind: agent, tier: pro}}
spec:
  keys: [{secretName: agent-7, key: apiKey}]
  allowedModelNames: [chat, "qwen/*"]
  expiresAt: "2099-12-31T23:59:59Z"
"""


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World]) -> World:
    world = make_world(regions=2)
    us = world.simulate("us", models=("deepseek-ai/DeepSeek-V4-Flash",), embedding_models=("bge-large",), keys=("us",))
    eu = world.simulate("eu", models=("dsv4-eu",), keys=("eu",), header="api-key", region=EU)
    vllm = world.simulate("vllm", models=("qwen3-32b",), keys=(), region=EU)
    text = OBJECTS.replace("US-URL", us.base_url).replace("EU-URL", eu.base_url)
    world.write("design", *yaml.safe_load_all(text))
    world.write(
        "rest",
        provider("vllm", [endpoint("own", vllm.base_url, EU)], ["qwen3-32b"]),
        secret("global-api", us="us", eu="eu"),
        secret("agent-7", namespace="team-web", apiKey=KEY),
        route("chat-small", "vllm/qwen3-32b", namespace="team-web"),
    )
    return world.start()


def test_each_region_answers_by_its_own_endpoint(world: World) -> None:
    for region, target, model in (
        (US, "global-api/us/deepseek-v4-flash", "deepseek-ai/DeepSeek-V4-Flash"),
        (EU, "global-api/eu/deepseek-v4-flash", "dsv4-eu"),
    ):
        answer = world.chat("chat", key=KEY, region=region, max_tokens=9000)
        assert (answer.status_code, answer.headers["x-fairlead-target"]) == (200, target)
        sent = json.loads(world.sims[region[:2]].control.requests()[-1].body)
        assert (sent["model"], sent["max_tokens"]) == (model, 2000)
    assert world.names(KEY) == ["chat"]
    assert world.chat("gpt-4o", key=KEY).status_code == 404, "not among the consumer's names"


def test_residency_keeps_prompts_in_the_geo(world: World) -> None:
    for name in ("us", "eu"):
        world.sims[name].control.fault(status=500, count=2)
    answer = world.chat("chat", key=KEY, region=EU)
    assert (answer.status_code, answer.headers["x-fairlead-target"]) == (200, "vllm/own/qwen3-32b")
    assert world.chat("chat", key=KEY).status_code == 500, "nothing else in this geo"
    for sim in world.sims.values():
        sim.control.clear()
        assert sim.control.stats().problems == {}


def test_an_object_that_breaks_keeps_serving_and_is_mended(world: World) -> None:
    path = world.site.manifests / "design.yaml"
    good = path.read_text()
    path.write_text(good.replace("residency: Geo", "residency: geo"))
    assert "spec.residency: got `geo`" in world.up.wait_for("refused")["what"]
    until(lambda: world.conditions("ModelRoute", "chat", "team-web")["Accepted"][0] == "False")
    assert world.chat("chat", key=KEY).status_code == 200
    path.write_text(good.replace("maxOutputTokens: 2000", "maxOutputTokens: 7"))
    world.up.wait_for("accepted", "spec.maxOutputTokens 2000 -> 7")
    until(lambda: world.conditions("ModelRoute", "chat", "team-web")["Accepted"][0] == "True")
    assert world.chat("chat", key=KEY).json()["usage"]["completion_tokens"] == 7
