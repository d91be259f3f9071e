"""compile() before pods mount a new Secret: what they can serve changes, what they cannot waits, region by region."""

from collections.abc import Mapping
from typing import Any

import pytest

from builders import EU_WEST as EU
from builders import US, installation, provider, route, target
from fairlead.api.meta import ObjectKey
from fairlead.compiler import Compiled, HelmRelease, Manifest, Observed, Snapshot, pod_layouts
from fairlead.compiler import compile as compile_all
from gateway_values import settings

INSTALLATION = installation(regions=[{"name": US, "geo": "us"}, {"name": EU, "geo": "eu"}])
ENDPOINT = {"name": "us", "region": US, "baseURL": "https://q.example.com/v1"}
P, CHAT = provider("p"), route("chat")
SWAPPED = route("chat", target("q", "small"))
Secrets = Mapping[str, frozenset[str]]
Q, ROUTE = ObjectKey("ModelProvider", "fairlead", "q"), ObjectKey("ModelRoute", "team-web", "chat")


def _q(*secrets: str) -> dict[str, Any]:
    names = {f"e{number}": secret for number, secret in enumerate(secrets)}
    return provider("q", endpoints=[{**ENDPOINT, "name": n, "credential": {"secretName": s}} for n, s in names.items()])


def _compiled(
    *objects: Any, before: Compiled | None = None, mounted: Secrets | None = None, **more: Secrets
) -> Compiled:
    observed = Observed(
        last_good={} if before is None else before.last_good,
        layouts=pod_layouts(INSTALLATION, None),
        release=HelmRelease(settings=settings(US, EU), owner_uid="uid"),
        home_secrets_readable=False,
        mounted=mounted or {},
        **more,
    )
    snapshot = Snapshot(manifests=tuple(Manifest(content=one) for one in objects), secrets={})
    return compile_all(snapshot, INSTALLATION, observed)


def _routes(compiled: Compiled, region: str) -> str:
    return compiled.gateways[region].files["xds/cds.json"].decode()


def _deployed(compiled: Compiled, region: str) -> str:
    return str(next(one for one in compiled.gateways[region].manifests if one["kind"] == "Deployment"))


def test_only_the_region_whose_pods_lack_it_waits() -> None:
    before = _compiled(P, CHAT)
    both = {US: frozenset({"k"}), EU: frozenset[str]()}
    now = _compiled(P, SWAPPED, _q("k"), before=before, mounted=both)
    assert "q/e0/small" in _routes(now, US)
    assert "q/e0/small" not in _routes(now, EU)
    assert now.gateways[EU].files == before.gateways[EU].files
    assert now.gateways[EU].waiting == {Q, ROUTE}
    assert now.gateways[US].waiting == frozenset()
    assert "'k'" in _deployed(now, EU), "the pods that are wanted mount it"


def test_what_waits_is_remembered_as_it_serves_through_any_number_of_restarts() -> None:
    lacking = {US: frozenset[str](), EU: frozenset[str]()}
    first = now = _compiled(P, CHAT)
    for _ in range(3):
        now = _compiled(P, SWAPPED, _q("k"), before=now, mounted=lacking)
        assert now.gateways[US].files == first.gateways[US].files
        assert now.last_good[ROUTE] == first.last_good[ROUTE]
        assert Q not in now.last_good
    done = _compiled(P, SWAPPED, _q("k"), before=now, mounted={US: frozenset({"k"}), EU: frozenset({"k"})})
    assert done.gateways == _compiled(P, SWAPPED, _q("k")).gateways
    assert Q in done.last_good


def test_a_provider_goes_on_with_the_secrets_that_are_mounted() -> None:
    mounted = {US: frozenset({"a"}), EU: frozenset({"a"})}
    before = _compiled(P, _q("a"), SWAPPED, mounted=mounted)
    now = _compiled(P, _q("a", "b"), SWAPPED, before=before, mounted=mounted)
    assert "q/e0/small" in _routes(now, US)
    assert "q/e1/small" not in _routes(now, US)
    assert Q in now.gateways[US].waiting


def test_a_new_route_to_it_waits_and_others_come() -> None:
    now = _compiled(P, CHAT, route("new", target("q", "small")), _q("k"), mounted={US: frozenset()})
    assert "team-web/chat" in now.gateways[US].files["xds/rds.json"].decode()
    assert "team-web/new" not in now.gateways[US].files["xds/rds.json"].decode()


@pytest.mark.parametrize(
    ("deployed", "expected"),
    [({"gone", "k"}, {"gone", "k"}), ({"gone"}, {"k"}), (set(), {"k"})],
    ids=["no new one", "a new one", "the first"],
)
def test_a_pod_is_replaced_only_for_a_secret_that_it_lacks(deployed: set[str], expected: set[str]) -> None:
    now = _compiled(P, _q("k"), deployed={US: frozenset(deployed)})
    names = {name for name in ("gone", "k") if f"'secretName': '{name}'" in _deployed(now, US)}
    assert names == expected


def test_without_pods_nothing_waits() -> None:
    assert _compiled(P, SWAPPED, _q("k")).gateways[US].waiting == frozenset()
