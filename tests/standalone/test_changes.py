"""Edits of files while `fairlead up` runs."""

import json
import os
import statistics
from collections.abc import Callable

import pytest
import yaml
from running_up import (
    CREDENTIAL,
    SECRET_KEY,
    Load,
    RunningUp,
    Site,
    ask,
    consumer,
    provider,
    route,
    secret,
    stream,
    until,
)

from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]
RELOADS = int(os.environ.get("FAIRLEAD_RELOADS", "20"))
"""`make soak` has more."""
LIVE_MS = 10_000
"""A second on a machine that has nothing else to do."""


def answer(site: Site, model: str = "chat") -> tuple[int, str]:
    status, target, _ = ask(site.ports[0], model)
    return status, target


def test_one_string_swaps_the_model(site: Site, start: Start) -> None:
    up = start(site).serving()
    assert answer(site) == (200, "sim/one/sparrow")
    site.write("route.yaml", route("chat", "heron"))
    accepted = up.wait_for("accepted")
    assert accepted["what"] == "ModelRoute fairlead/chat: spec.primary.model sparrow -> heron"
    assert accepted["ms"] < LIVE_MS
    assert answer(site) == (200, "sim/one/heron")


def test_files_come_go_and_change_their_names(site: Site, start: Start) -> None:
    up = start(site).serving()
    path = site.write("deep/er/more.yaml", route("more", "heron"))
    up.wait_for("accepted", "ModelRoute fairlead/more: added")
    assert answer(site, "more") == (200, "sim/one/heron")
    with Load(site.ports, per_second=50, model="more") as load:
        path.rename(site.manifests / "renamed.json.yaml")
        site.write("marker.yaml", route("marker", "heron"))
        up.wait_for("accepted", "marker: added")
    assert load.failed == {}, "another name of the file is no change"
    (site.manifests / "renamed.json.yaml").unlink()
    up.wait_for("accepted", "ModelRoute fairlead/more: removed")
    assert answer(site, "more")[0] == 404
    assert answer(site)[0] == 200


def test_edits_in_place_and_empty_moments_are_no_removals(site: Site, start: Start) -> None:
    up = start(site).serving()
    path = site.manifests / "route.yaml"
    with Load(site.ports, per_second=50) as load:
        with path.open("w") as file:  # empty from here on
            file.flush()
            os.fsync(file.fileno())
            up.wait_for("warning", "route.yaml: got 0 bytes")
            file.write(yaml.safe_dump(route("chat", "heron")))
        up.wait_for("accepted", "sparrow -> heron")
    assert load.failed == {}


def test_a_bad_edit_is_explained_while_the_old_one_serves(site: Site, start: Start) -> None:
    up = start(site).serving()
    with Load(site.ports, per_second=50) as load:
        site.write("route.yaml", route("chat", "herron"))
        refused = up.wait_for("refused")["what"]
        line = next(
            n for n, text in enumerate((site.manifests / "route.yaml").read_text().splitlines(), 1) if "herron" in text
        )
        assert refused.startswith(
            f"ModelRoute fairlead/chat ({site.manifests}/route.yaml:{line}): spec.primary.model: got `herron`"
        )
        assert "did you mean `heron`" in refused
        assert refused.endswith("the last good version stays in effect")
        (site.manifests / "route.yaml").write_text("kind: [\n")
        assert "route.yaml:2: not YAML" in up.wait_for("refused")["what"]
        # Other files go on changing meanwhile.
        site.write("more.yaml", route("more", "heron"))
        up.wait_for("accepted", "more: added")
        site.write("route.yaml", route("chat", "sparrow"))
        up.wait_for("mended")
    assert load.failed == {}
    assert set(load.models) == {"sparrow"}


def test_the_same_object_in_two_files_is_told_and_changes_nothing(site: Site, start: Start) -> None:
    up = start(site).serving()
    other = site.write("another.yaml", route("chat", "heron"))
    refused = up.wait_for("refused")["what"]
    assert "another.yaml" in refused
    assert "route.yaml" in refused
    assert answer(site) == (200, "sim/one/sparrow")
    other.unlink()
    up.wait_for("mended")
    assert answer(site) == (200, "sim/one/sparrow")


@pytest.mark.slow
@pytest.mark.timeout(180 + 4 * RELOADS)
def test_reloads_under_load_lose_nothing(two_regions: Site, start: Start, simulated: SimulatedProvider) -> None:
    site = two_regions
    up = start(site).serving()
    took = []
    with Load(site.ports, per_second=100) as load:
        for turn in range(RELOADS):
            model = ("heron", "sparrow")[turn % 2]
            if turn % 5 == 4:  # a new provider, credential and consumer come or go as well: LDS, SDS and keys move too
                if turn % 10 == 4:
                    site.write("extra.yaml", *extra(simulated))
                else:
                    (site.manifests / "extra.yaml").unlink()
            site.write("route.yaml", route("chat", model))
            took.append(up.wait_for("accepted", f"-> {model}")["ms"])
    assert load.failed == {}
    assert load.outcomes["200"] == load.sent > 200
    assert set(load.models) == {"sparrow", "heron"}
    assert statistics.median(took) < LIVE_MS
    assert simulated.control.stats().problems == {}


def extra(simulated: SimulatedProvider) -> list[dict[str, object]]:
    return [
        provider(simulated.base_url, "heron", name="extra"),
        secret("extra", key=CREDENTIAL),
        route("extra", "heron", provider="extra"),
        consumer("agent", "key"),
        secret("agent", key=SECRET_KEY),
    ]


def test_a_consumers_key_comes_rotates_and_goes(site: Site, start: Start) -> None:
    up = start(site).serving()

    def status(key: str) -> int:
        return ask(site.ports[0], key=key)[0]

    assert status("sk-a") == 401, "a wrong key is refused although callers without a key are let in"
    site.write("agent.yaml", consumer("agent", "old"), secret("agent", old="sk-a"))
    up.wait_for("accepted", "ModelConsumer fairlead/agent: added")
    assert status("sk-a") == 200
    site.write("agent.yaml", consumer("agent", "old", "new"), secret("agent", old="sk-a", new="sk-b"))
    up.wait_for("accepted", "data.new added")
    up.wait_for("accepted", "spec.keys")
    assert (status("sk-a"), status("sk-b")) == (200, 200)
    site.write("agent.yaml", consumer("agent", "new"), secret("agent", new="sk-b"))
    up.wait_for("accepted", "spec.keys")
    assert (status("sk-a"), status("sk-b")) == (401, 200)
    (site.manifests / "agent.yaml").unlink()
    up.wait_for("accepted", "ModelConsumer fairlead/agent: removed")
    assert status("sk-b") == 401
    assert "sk-b" not in (site.state / "us-east-1" / "keys" / "ecds.json").read_text()


def test_a_credential_rotated_under_load_loses_nothing(site: Site, start: Start, simulated: SimulatedProvider) -> None:
    up = start(site).serving()
    kept = site.state / "us-east-1" / "credentials" / "sim" / "key"
    with Load(site.ports, per_second=100) as load:
        for turn in range(5):
            old, new = f"sk-turn-{turn - 1}" if turn else CREDENTIAL, f"sk-turn-{turn}"
            simulated.control.set(keys=(old, new))
            site.write("provider.yaml", provider(simulated.base_url, "sparrow", "heron"), secret("sim", key=new))
            assert up.wait_for("accepted", "Secret fairlead/sim: data.key changed")["ms"] < LIVE_MS
            assert kept.read_text() == new
            simulated.control.set(keys=(new,))  # from here on only the new one opens
            simulated.control.reset()
            until(lambda: simulated.control.stats().requests > 20)
    assert load.failed == {}
    assert simulated.control.stats().problems == {}


def test_a_secret_that_goes_leaves_no_file(site: Site, start: Start) -> None:
    up = start(site).serving()
    folder = site.state / "us-east-1" / "credentials"
    assert (folder / "sim" / "key").read_text() == CREDENTIAL
    (site.manifests / "provider.yaml").unlink()
    up.wait_for("accepted", "ModelProvider fairlead/sim: removed")
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert answer(site)[0] == 404


def test_an_unset_variable_hurts_its_secret_alone(site: Site, start: Start, simulated: SimulatedProvider) -> None:
    site.write("agent.yaml", consumer("agent", "key"), secret("agent", key="${FAIRLEAD_TEST_UNSET}"))
    site.write("provider.yaml", provider(simulated.base_url, "sparrow"), secret("sim", key="${FAIRLEAD_TEST_KEY}"))
    up = start(site, FAIRLEAD_TEST_KEY=CREDENTIAL)
    refused = up.wait_for("refused", "Secret fairlead/agent")["what"]
    assert "set the variable `FAIRLEAD_TEST_UNSET`" in refused
    up.serving()
    assert answer(site)[0] == 200


def test_the_installation_may_change_while_it_runs(site: Site, start: Start) -> None:
    up = start(site).serving()
    site.write_config(anonymous="Deny")
    up.wait_for("accepted", "anonymous Allow -> Deny")
    assert answer(site)[0] == 401
    site.write_config(anonymous="Allow", limits={"requestBytes": 1024})
    up.wait_for("accepted", "limits.requestBytes")
    assert answer(site)[0] == 200
    assert answer(site, "x" * 2000)[0] == 413
    regions = site.installation["regions"]
    site.write_config(regions=[*regions, {"name": "eu-west-1", "geo": "eu", "listen": "127.0.0.1:1"}])
    refused = up.wait_for("refused")["what"]
    assert "eu-west-1" in refused
    assert "stop it and start it again" in refused
    site.write_config(regions=[{"name": "x"}])
    assert "regions[0].geo" in up.wait_for("refused")["what"]
    assert answer(site)[0] == 200
    site.write_config(regions=regions, limits={"requestBytes": 4096})
    up.wait_for("accepted", "limits.requestBytes 1024 -> 4096")


def test_the_log_may_be_switched_off_and_on(site: Site, start: Start) -> None:
    up = start(site).serving()
    log = site.state / "us-east-1" / "access.log"
    site.write_config(log={"access": "None"})
    up.wait_for("accepted", "log.access All -> None")
    assert answer(site, "unseen")[0] == 404
    site.write_config(log={"access": "All"})
    up.wait_for("accepted", "log.access None -> All")
    assert answer(site, "seen")[0] == 404
    until(lambda: '"seen"' in log.read_text())
    assert "unseen" not in log.read_text()


def test_a_stream_survives_every_kind_of_change(site: Site, start: Start, simulated: SimulatedProvider) -> None:
    up = start(site).serving()
    simulated.control.set(chunk_gap_ms=200)
    chunks = stream(site.ports[0])
    next(chunks)
    site.write("route.yaml", route("chat", "heron"))  # clusters, routes
    up.wait_for("accepted", "-> heron")
    site.write("extra.yaml", *extra(simulated))  # listeners, sources of secrets, keys
    up.wait_for("accepted", "ModelRoute fairlead/extra: added")
    site.write_config(limits={"requestBytes": 4096})  # listeners
    up.wait_for("accepted", "limits.requestBytes")
    for name in ("extra.yaml", "route.yaml"):
        (site.manifests / name).unlink()
    up.wait_for("accepted", "ModelRoute fairlead/chat: removed")
    received = list(chunks)
    assert received[-1] == b"data: [DONE]"
    assert b"sparrow" in received[0]
    assert answer(site)[0] == 404


def test_regions_without_anything_to_serve_answer_all_the_same(site: Site, start: Start) -> None:
    for path in site.manifests.iterdir():
        path.unlink()
    up = start(site).serving()
    assert answer(site)[0] == 404
    site.write("route.yaml", route("chat", "sparrow"))
    refused = up.wait_for("refused")["what"]
    assert "nothing of the object is in effect" in refused
    until(lambda: json.loads((site.state / "status.json").read_text())["diagnostics"])
