"""Ready means ready: what is Ready answers from then on, and nothing that is added fails a request of anybody else."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from harness.install import NAMESPACE
from harness.kubectl import condition
from harness.load import Load
from harness.provider import Provider
from harness.team import Team
from harness.waiting import eventually

ADDITIONS = 20
READY_S = 20.0
"""Within which each has to be Ready; a provider takes longest, since pods are replaced to mount its Secret."""
ASKED = 10
"""Requests right after Ready, each of which has to be answered."""
Addition = tuple[str, Callable[[], float]]


def _ready_after(team: Team, kind: str, name: str, namespace: str) -> float:
    began = time.monotonic()
    eventually(
        f"{kind} {name} to be Ready",
        lambda: condition(team.kubectl.get(kind, name, namespace), "Ready")["status"] == "True",
    )
    return time.monotonic() - began


def _answers(url: str, key: str, model: str) -> list[int]:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"authorization": f"Bearer {key}"}
    return [
        httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, trust_env=False, timeout=30).status_code
        for _ in range(ASKED)
    ]


def _additions(provider: Provider, team: Team, url: str) -> Iterator[Addition]:
    """Add a provider with a Secret of its own, a route to it, and a consumer, in turns."""
    metadata = {"namespace": NAMESPACE}

    def add_provider(name: str) -> float:
        secret, resource = provider.secret(), provider.resource()
        endpoint = {**resource["spec"]["endpoints"][0], "credential": {"secretName": name}}
        team.kubectl.apply({**secret, "metadata": {**metadata, "name": name}})
        spec = {**resource["spec"], "endpoints": [endpoint]}
        team.kubectl.apply({**resource, "metadata": {**metadata, "name": name}, "spec": spec})
        return _ready_after(team, "modelprovider", name, NAMESPACE)

    def add_route(name: str) -> float:
        team.kubectl.apply(team.route(name, name, "model-a"))
        took = _ready_after(team, "modelroute", name, team.namespace)
        assert _answers(url, "steady-key-0001", name) == [200] * ASKED, name
        return took

    def add_consumer(name: str) -> float:
        key = f"{name}-key-000001"
        team.kubectl.apply(team.key(name, key), team.consumer(name))
        took = _ready_after(team, "modelconsumer", name, team.namespace)
        assert _answers(url, key, "steady") == [200] * ASKED, name
        return took

    for number in range(ADDITIONS):
        name = f"added-{number // 3}"
        add: Any = (add_provider, add_route, add_consumer)[number % 3]
        yield f"{add.__name__} {name}", lambda add=add, name=name: add(name)  # type: ignore[misc]


def test_twenty_additions_under_load_fail_no_request_and_answer_from_ready_on(
    provider: Provider, team: Team, url: str
) -> None:
    team.kubectl.apply(
        team.key("steady", "steady-key-0001"), team.consumer("steady"), team.route("steady", provider.name, "model-a")
    )
    team.is_ready("modelconsumer", "steady")
    team.is_ready("modelroute", "steady")
    took: dict[str, float] = {}
    try:
        with Load(url, "steady-key-0001", "steady") as load:
            for what, add in _additions(provider, team, url):
                took[what] = add()
        print({what: round(seconds, 1) for what, seconds in took.items()}, len(load.answers), "requests")
        assert not load.failed, load.failed[:5]
        assert len(load.answers) > ADDITIONS
        assert {what: seconds for what, seconds in took.items() if seconds > READY_S} == {}
    finally:
        for number in range(ADDITIONS // 3 + 1):
            name = f"added-{number}"
            team.kubectl("-n", NAMESPACE, "delete", "modelprovider,secret", name, "--ignore-not-found")


def test_a_provider_whose_pods_cannot_start_holds_nobody_else_back(provider: Provider, team: Team, url: str) -> None:
    team.kubectl.apply(
        team.key("alice", "alice-key-0001"), team.consumer("alice"), team.route("chat", provider.name, "model-a")
    )
    team.is_ready("modelconsumer", "alice")
    team.is_ready("modelroute", "chat")
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "no-more", "namespace": NAMESPACE}}
    team.kubectl.apply({**quota, "spec": {"hard": {"pods": "1"}}})
    resource = provider.resource()
    metadata = {"name": "stuck", "namespace": NAMESPACE}
    endpoint = {**resource["spec"]["endpoints"][0], "credential": {"secretName": "stuck"}}
    try:
        # When pods cannot be replaced, and a provider needs them to be
        team.kubectl.apply({**provider.secret(), "metadata": metadata})
        team.kubectl.apply({**resource, "metadata": metadata, "spec": {**resource["spec"], "endpoints": [endpoint]}})
        team.kubectl.apply(team.route("chat", "stuck", "model-a"))
        for kind, name, namespace in (("modelprovider", "stuck", NAMESPACE), ("modelroute", "chat", team.namespace)):
            eventually(
                f"{kind} to say what is in the way",
                lambda k=kind, n=name, ns=namespace: (
                    "exceeded quota"  # type: ignore[misc]
                    in condition(team.kubectl.get(k, n, ns), "Programmed")["message"]
                ),
            )
        assert _answers(url, "alice-key-0001", "chat") == [200] * ASKED, "the version before serves"
        # then others' changes are in effect all the same
        team.kubectl.apply(team.route("other", provider.name, "model-b"))
        team.is_ready("modelroute", "other")
        assert _answers(url, "alice-key-0001", "other") == [200] * ASKED
        # and the change itself, when they can
        team.kubectl("-n", NAMESPACE, "delete", "resourcequota", "no-more")
        team.is_ready("modelroute", "chat")
        assert _answers(url, "alice-key-0001", "chat") == [200] * ASKED
    finally:
        team.kubectl("-n", NAMESPACE, "delete", "resourcequota", "no-more", "--ignore-not-found")
        team.kubectl("-n", NAMESPACE, "delete", "modelprovider,secret", "stuck", "--ignore-not-found")
