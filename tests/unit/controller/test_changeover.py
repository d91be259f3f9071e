"""Between two configurations no pod leads a request to what it does not hold, however late each pod is."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import US, compiled, endpoint, installation, model, provider, route, target
from fairlead import envoy
from fairlead.compiler import CompiledGateway, pod_layouts
from fairlead.controller.changeover import LINGER_S, PATIENCE_S, Changeover, Files, Written
from fairlead.envoy import resources

LAYOUTS = {US: pod_layouts(installation(), None)[US]}
PROVIDERS = (
    provider("p", models=[model("small"), model("big")]),
    provider("q", endpoints=[endpoint("q-us", US)]),
)


def gateway(*routes: Mapping[str, Any]) -> CompiledGateway:
    return compiled(*PROVIDERS, *routes, layouts=LAYOUTS).gateways[US]


CHAT = gateway(route("chat"))
RENAMED = gateway(route("talk", modelNames=["chat"]))
BIGGER = gateway(route("chat", target("p", "big")))
ELSEWHERE = gateway(route("chat", target("q", "small")))


class Region:
    """A changeover, and pods that serve what they are told to."""

    def __init__(self, first: CompiledGateway, *, limit_bytes: int = envoy.LIMIT_BYTES) -> None:
        self.now = 1000.0
        self.changeover = Changeover(limit_bytes=limit_bytes)
        self.written = self.write(first)

    def write(self, wanted: CompiledGateway) -> Written:
        self.written = self.changeover.write(wanted.files, wanted.digest, now=self.now)
        return self.written

    def confirm(self, *answers: str) -> bool:
        return self.changeover.confirm(answers or (self.written.digest,), now=self.now)


def _clusters(files: Files) -> frozenset[str]:
    return resources.names(files[envoy.CLUSTERS])


def _is_same(one: Files, other: Files, path: str) -> bool:
    """Tell whether two files differ in nothing but the digest that they say."""
    return _without_digest(one)[path] == _without_digest(other)[path]


def _without_digest(files: Files) -> Files:
    return {path: content.replace(envoy.digest(files).encode(), b"-") for path, content in files.items()}


def test_a_rename_comes_in_three_versions_new_clusters_then_routes_then_old_ones_go() -> None:
    region = Region(CHAT)
    between = region.write(RENAMED)
    assert between.is_between
    assert _clusters(between.files) == _clusters(CHAT.files) | _clusters(RENAMED.files)
    assert _is_same(between.files, CHAT.files, envoy.ROUTES)
    assert between.digest == envoy.digest(between.files) not in (CHAT.digest, RENAMED.digest)
    # It waits for every pod
    assert not region.confirm(between.digest, CHAT.digest)
    assert region.write(RENAMED) == between
    assert region.confirm()
    beside = region.write(RENAMED)
    assert not beside.is_between
    assert _clusters(beside.files) == _clusters(between.files)
    assert _is_same(beside.files, RENAMED.files, envoy.ROUTES)
    # and what is old goes when requests that began with the old routes have ended
    region.confirm()
    assert region.write(RENAMED).digest == beside.digest
    region.now += LINGER_S
    last = region.write(RENAMED)
    assert (last.files, last.digest, last.again_in_s) == (RENAMED.files, RENAMED.digest, None)


def test_what_leads_only_to_what_is_there_takes_effect_at_once() -> None:
    region = Region(CHAT)
    written = region.write(BIGGER)  # the last resort is the same
    assert not written.is_between
    assert _is_same(written.files, BIGGER.files, envoy.ROUTES)
    more = Region(gateway(route("chat"), route("other"))).write(CHAT)
    assert not more.is_between


def test_a_ladder_none_of_whose_rungs_is_there_waits_for_them() -> None:
    region = Region(CHAT)
    between = region.write(ELSEWHERE)
    assert between.is_between
    assert resources.ladders(between.files[envoy.CLUSTERS]) == resources.ladders(CHAT.files[envoy.CLUSTERS])
    region.confirm()
    written = region.write(ELSEWHERE)
    assert resources.ladders(written.files[envoy.CLUSTERS]) == resources.ladders(ELSEWHERE.files[envoy.CLUSTERS])


def test_a_pod_that_says_nothing_holds_nobody_back_for_long() -> None:
    region = Region(CHAT)
    between = region.write(RENAMED)
    assert between.again_in_s == PATIENCE_S
    region.now += PATIENCE_S - 1
    assert region.write(RENAMED).is_between
    region.now += 1
    assert not region.write(RENAMED).is_between


def test_an_edit_that_is_taken_back_meanwhile_leaves_nothing_behind() -> None:
    region = Region(CHAT)
    region.write(RENAMED)
    region.write(CHAT)
    region.now += PATIENCE_S
    region.write(CHAT)
    region.now += LINGER_S
    assert region.write(CHAT).files == CHAT.files


def test_an_operator_that_starts_goes_on_from_what_is_there() -> None:
    there = {path: CHAT.files[path] for path in (envoy.CLUSTERS, envoy.LISTENERS, envoy.ROUTES)}
    assert Changeover(there, limit_bytes=envoy.LIMIT_BYTES).write(RENAMED.files, RENAMED.digest, now=0.0).is_between
    for damaged in (dict.fromkeys(there, b"{"), dict.fromkeys(there, b"null"), {**there, envoy.ROUTES: b"{}"}):
        written = Changeover(damaged, limit_bytes=envoy.LIMIT_BYTES).write(RENAMED.files, RENAMED.digest, now=0.0)
        assert written.files == RENAMED.files, "nobody serves what nobody can read"


def test_files_without_room_for_two_versions_are_written_at_once() -> None:
    region = Region(CHAT, limit_bytes=len(CHAT.files[envoy.CLUSTERS]))
    assert region.write(RENAMED).files == RENAMED.files


WORLDS = st.fixed_dictionaries(
    {
        "chat": st.sampled_from([None, ("p", "small"), ("p", "big"), ("q", "small")]),
        "talk": st.sampled_from([None, ("p", "small"), ("q", "small")]),
        "canary": st.sampled_from([None, ("q", "small")]),
    }
)


@cache
def _world(chat: Any, talk: Any, canary: Any) -> CompiledGateway:
    routes = []
    if chat:
        more: dict[str, Any] = {"canary": {"target": target(*canary), "weight": 10}} if canary else {}
        routes.append(route("chat", target(*chat), **more))
    if talk:
        routes.append(route("talk", target(*talk)))
    return gateway(route("always"), *routes)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(WORLDS, st.integers(0, 7), st.integers(1, 5)), min_size=2, max_size=10))
def test_whatever_each_pod_serves_it_leads_to_what_it_holds(story: list[tuple[dict[str, Any], int, int]]) -> None:
    """Three pods, each late as it likes; while one swaps, its routes are of one version and its clusters of another."""
    wanted = _world(None, None, None)
    region = Region(wanted)
    pods = [region.written] * 3
    served_until = [region.now + PATIENCE_S] * 3
    for world, who, seconds in story:
        wanted = _world(**world)
        for _ in range(seconds):
            region.now += 1.0
            region.write(wanted)
            for number, pod in enumerate(pods):
                if who & 1 << number or served_until[number] <= region.now:
                    pods[number] = _swapped(pod, region.written)
                if pods[number].digest == region.written.digest:
                    served_until[number] = region.now + PATIENCE_S - 1
            region.confirm(*(pod.digest for pod in pods))


def _swapped(before: Written, after: Written) -> Written:
    for routes, clusters in ((before, after), (after, before), (after, after)):
        held = _clusters(clusters.files)
        ladders = resources.ladders(clusters.files[envoy.CLUSTERS])
        for led in _led_to(json.loads(routes.files[envoy.ROUTES])):
            assert led in held
            assert not held.isdisjoint(ladders[led])
    return after


def _led_to(routes: Any) -> Iterator[str]:
    match routes:
        case {"cluster": str(name)}:
            yield name
        case {"weighted_clusters": {"clusters": list(clusters)}}:
            yield from (one["name"] for one in clusters)
        case dict():
            for value in routes.values():
                yield from _led_to(value)
        case list():
            for value in routes:
                yield from _led_to(value)
