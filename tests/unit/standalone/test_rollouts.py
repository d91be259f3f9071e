"""Rollouts of `fairlead up` beside its gateways: what is compiled twice, what is kept, what a damaged file does."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from builders import installation, manifest, model, provider
from fairlead.adapters.document import Document
from fairlead.adapters.manifest_files import ManifestFile
from fairlead.compiler import pod_layouts
from fairlead.rollout.machine import Shares
from fairlead.rollout.observation import Act, Order
from fairlead.rollout.state import Phase
from fairlead.standalone import release, rollout_orders
from fairlead.standalone.inputs import Memory, take_in
from fairlead.standalone.release import Release
from fairlead.standalone.rollout_orders import RolloutOrders
from fairlead.standalone.rollouts import LocalRollouts
from fairlead.standalone.state import StateFolder
from fast_clock import FastClock

ROUTE = "team/chat"
REGION = {
    **dict.fromkeys(("name", "geo", "listen", "metrics", "admin"), ""),
    "pid": None,
    "digest": None,
    "targets": [],
}
PROVIDER = provider("p", models=[model("old"), model("new")])


def route(target: str) -> dict[str, Any]:
    steps = [{"traffic": "10%", "hold": "1h"}, {"traffic": "50%"}]
    primary = {"provider": "p", "model": target}
    return manifest("ModelRoute", "chat", "team", {"primary": primary, "residency": "Any", "rollout": {"steps": steps}})


class Site:
    """What `up` does of it at each change."""

    def __init__(self, folder: Path) -> None:
        self.state, self.log = StateFolder(root=folder), structlog.get_logger()
        self.clock = FastClock()  # one for all runs: to a clock that begins anew, what is written is of the future
        self.compiled: list[Mapping[str, Shares]] = []
        self.start()

    def start(self) -> None:
        self.rollouts = LocalRollouts(self.state, self.clock, self.log)

    def takes(self, *documents: dict[str, Any]) -> Release:
        file = ManifestFile(
            path="f.yaml",
            documents=tuple(Document(manifest=one, source=f"f.yaml:{line}") for line, one in enumerate(documents, 1)),
            error=None,
        )
        inputs = take_in((file,), memory=Memory(), environment={}, default_namespace="fairlead")

        async def make(shares: Mapping[str, Shares]) -> Release:
            self.compiled.append(shares)
            layouts = pod_layouts(installation(), None)
            return release.make(inputs, installation(), Memory(), layouts, rollouts=shares)

        return asyncio.run(self.rollouts.settled(make))

    def weights(self, made: Release) -> list[int]:
        (only,) = made.regions["us-east-1"].gateway.routes
        return [arm.weight for arm in only.plans[0].arms]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_what_is_written_serves_nobody_before_the_machine_has_seen_it(site: Site) -> None:
    assert site.weights(site.takes(PROVIDER, route("old"))) == [10_000]
    site.compiled.clear()
    assert site.weights(site.takes(PROVIDER, route("new"))) == [9_000, 1_000]
    assert len(site.compiled) == 2
    site.takes(PROVIDER, route("new"))
    assert len(site.compiled) == 3, "once, where nothing moves"


def test_a_restart_goes_on_and_an_edit_between_two_runs_rolls_out(site: Site) -> None:
    site.takes(PROVIDER, route("old"))
    site.start()
    assert site.weights(site.takes(PROVIDER, route("new"))) == [9_000, 1_000]
    begun_ms = site.rollouts.now.states[ROUTE].step_since_ms
    site.start()
    assert site.weights(site.takes(PROVIDER, route("new"))) == [9_000, 1_000]
    assert site.rollouts.now.states[ROUTE].step_since_ms == begun_ms


def test_a_route_that_is_removed_and_restored_does_not_jump(site: Site) -> None:
    site.takes(PROVIDER, route("old"))
    site.takes(PROVIDER)
    site.start()
    assert site.weights(site.takes(PROVIDER, route("new"))) == [9_000, 1_000]


@pytest.mark.parametrize("content", ["{", "[]", '{"rollouts": {"team/chat": {"phase": "Stable"}}}', None])
def test_what_is_damaged_or_gone_moves_nothing_since_there_is_a_copy(site: Site, content: str | None) -> None:
    site.takes(PROVIDER, route("old"))
    site.takes(PROVIDER, route("new"))
    stood = site.rollouts.now.states[ROUTE]
    site.state.rollouts.unlink()
    if content is not None:
        site.state.rollouts.write_text(content)
    with structlog.testing.capture_logs() as logs:
        site.start()
        assert site.weights(site.takes(PROVIDER, route("new"))) == [9_000, 1_000]
    (warning,) = logs
    want = "got nothing, want where" if content is None else "got something that Fairlead did not write"
    assert f"rollouts.json: {want}" in warning["what"]
    assert warning["what"].endswith("its copy is used")
    assert site.rollouts.now.states[ROUTE].step_since_ms == stood.step_since_ms


def serves(site: Site, target: str) -> None:
    """Write the status of an `up` that serves this."""
    answers = [{"names": ["chat"], "kind": "Chat", "ladders": [], "lastResort": target}]
    others = {one: [] for one in ("consumers", "objects", "diagnostics", "endpoints", "failing", "drainedRegions")}
    regions = [{**REGION, "routes": [{"name": ROUTE, "maxAttempts": 2, "shadow": None, "answers": answers}]}]
    site.state.status.write_text(json.dumps({**others, "rollouts": [], "regions": regions}))


def routes_with(site: Site, target: str) -> None:
    """Write the routes that an Envoy reads."""
    entries = {"n:team|chat": f"{ROUTE} Chat - old old {target}", "n:team|none": "-"}
    route = {"metadata": {"filter_metadata": {"envoy.filters.http.lua": entries}}}
    folder = site.state.region("us").xds
    folder.mkdir(parents=True)
    hosts = [{"name": "*", "routes": [{}, route]}, {"name": ROUTE}]
    (folder / "rds.json").write_text(json.dumps({"resources": [{"virtual_hosts": hosts}]}))


def lose(path: Path, content: str | None) -> None:
    path.unlink()
    if content is not None:
        path.write_text(content)


@pytest.mark.parametrize("content", ["{", None])
@pytest.mark.parametrize("status", ["whole", "{", None])
def test_where_the_copy_is_lost_too_what_gateways_served_is_stable(
    site: Site, content: str | None, status: str | None
) -> None:
    site.takes(PROVIDER, route("old"))
    rollout_orders.write(site.state, {ROUTE: Order(act=Act.PROMOTE, mark="1")})
    serves(site, "p/eu/old")
    if status != "whole":
        routes_with(site, "p/eu/old")
        lose(site.state.status, status)
    for path in (site.state.rollouts, site.state.rollouts_copy):
        lose(path, content)
    with structlog.testing.capture_logs() as logs:
        site.start()
        assert site.weights(site.takes(PROVIDER, route("new"))) == [9_000, 1_000]
    assert "stable is what gateways served (p/old of team/chat), a change begins at step 1" in logs[0]["what"]
    assert site.rollouts.now.states[ROUTE].step == 1, "an order of before is not carried out again"


@pytest.mark.parametrize("damaged", ["rollouts.json", "rollouts.copy.json", "status.json", "us/xds/rds.json"])
def test_where_nobody_knows_what_was_served_what_is_written_serves(site: Site, damaged: str) -> None:
    path = site.state.root / damaged
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{")
    with structlog.testing.capture_logs() as logs:
        site.start()
        assert site.weights(site.takes(PROVIDER, route("new"))) == [10_000]
    assert "nobody knows what gateways served, so what is written serves at once" in logs[0]["what"]


def test_a_new_folder_says_nothing(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        site = Site(tmp_path)
        assert site.weights(site.takes(PROVIDER, route("new"))) == [10_000]
    assert logs == []


def test_each_transition_is_an_event_and_the_first_sight_is_none(site: Site) -> None:
    with structlog.testing.capture_logs() as logs:
        site.takes(PROVIDER, route("old"))
        assert logs == []
        site.takes(PROVIDER, route("new"))
        rollout_orders.write(site.state, {ROUTE: Order(act=Act.ABORT, mark="1")})
        site.takes(PROVIDER, route("new"))
        site.takes(PROVIDER, route("new"))
    assert [(one["event"], one["phase"], one["log_level"]) for one in logs] == [
        ("rollout", "Progressing", "info"),
        ("rollout", "Aborted", "warning"),
    ]
    assert logs[1]["what"] == "team/chat: Aborted (ByHand): Git asks for p/new, p/old serves: aborted by hand"


def test_an_order_that_is_older_than_the_state_is_not_carried_out_on_a_new_one(site: Site) -> None:
    rollout_orders.write(site.state, {ROUTE: Order(act=Act.ABORT, mark="1")})
    site.takes(PROVIDER, route("old"))
    site.takes(PROVIDER, route("new"))
    assert site.rollouts.now.states[ROUTE].phase is Phase.PROGRESSING


def test_a_damaged_file_of_orders_orders_nothing_and_is_told_once(tmp_path: Path) -> None:
    state, told = StateFolder(root=tmp_path), list[str]()
    orders = RolloutOrders(state, told.append)
    assert orders.read() == {}
    rollout_orders.write(state, {ROUTE: Order(act=Act.PAUSE, mark="1")})
    known = orders.read()
    assert known == {ROUTE: Order(act=Act.PAUSE, mark="1")}
    for content in ("{", '{"orders": {"team/chat": {"act": "explode", "mark": "2"}}}'):
        state.rollout_orders.write_text(content)
        assert orders.read() == known
    assert len(told) == 1
    assert "give the order again" in told[0]
