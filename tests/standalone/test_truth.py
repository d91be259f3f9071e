"""What traffic told `fairlead up` is said: in events, in `status`, in the client's error. No green while it burns."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from running_up import (
    CREDENTIAL,
    RunningUp,
    Site,
    ask,
    budget,
    consumer,
    provider,
    route,
    say,
    secret,
    until,
)

from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]
KNOWN_WITHIN_S = 10.0


def status(site: Site) -> tuple[int, dict[str, Any], str]:
    """Exit code, document and text of `fairlead status`."""
    said = [say("status", "-c", site.config, *options) for options in (["-o", "json"], [])]
    return said[0].returncode, json.loads(said[0].stdout), said[1].stdout


def status_with(site: Site, code: int, *words: str) -> tuple[dict[str, Any], str]:
    """Document and text of `fairlead status` once it ends so and says this: events come a moment sooner."""
    found: tuple[int, dict[str, Any], str] = status(site)

    def says() -> bool:
        nonlocal found
        found = status(site)
        return found[0] == code and all(word in found[2] for word in words)

    until(says, f"not {code} with {words}: {found}")
    return found[1], found[2]


def endpoint(site: Site) -> dict[str, Any]:
    (found,) = status(site)[1]["endpoints"]
    assert isinstance(found, dict)
    return found


def write(site: Site, base_url: str, key: str = CREDENTIAL) -> None:
    written = provider(base_url, "sparrow", "heron")
    written["spec"]["healthCheck"] = {"interval": "2s", "timeout": "1s", "unhealthyThreshold": 10}
    site.write("provider.yaml", written, secret("sim", key=key))


WRITES_STATUS_SLOWLY = """
import time
from fairlead.standalone import status
write = status.write
def write_late(*words, **named):
    time.sleep(0.5)
    write(*words, **named)
status.write = write_late
"""


def test_what_is_said_is_in_the_status_already(site: Site, start: Start) -> None:
    def targets() -> list[str]:
        (region,) = status(site)[1]["regions"]
        assert region["pid"]
        found: list[str] = region["routes"][0]["answers"][0]["ladders"][0]["targets"]
        return found

    up = start(site, before=WRITES_STATUS_SLOWLY).serving()
    assert targets() == ["sim/one/sparrow"]
    site.write("route.yaml", route("chat", "heron"))
    up.wait_for("accepted", "-> heron")
    assert targets() == ["sim/one/heron"]


def test_a_wrong_key_is_said_until_it_is_another(site: Site, start: Start, simulated: SimulatedProvider) -> None:
    write(site, simulated.base_url, key="sk-wrong")
    up = start(site).serving()
    assert until(lambda: endpoint(site)["state"] == "Healthy")
    assert status(site)[0] == 0, "it is alive, and nobody has shown it the key yet"
    asked = time.monotonic()
    code, _, body = ask(site.ports[0])
    assert code == 502
    assert "refused the gateway's credential (status 401)" in body["error"]["message"]
    failing = up.wait_for("failing", "sim/one: answers 401")
    assert time.monotonic() - asked < KNOWN_WITHIN_S
    assert (failing["endpoint"], failing["reason"]) == ("sim/one", "CredentialRejected")
    assert "Secret `sim/key`" in failing["what"]
    document, _ = status_with(site, 1, "1 failing\n  sim/one since", "sim/one/sparrow [failing] >")
    (found,) = document["endpoints"]
    assert (found["state"], found["reason"], found["share"]) == ("Suspect", "CredentialRejected", "100%")
    assert found["since"].endswith("Z")
    write(site, simulated.base_url)
    up.wait_for("recovered", "sim/one is another than before")
    assert ask(site.ports[0])[0] == 200
    until(lambda: endpoint(site)["state"] == "Healthy")
    status_with(site, 0)
    told = json.dumps([up.events, document, body])
    assert "sk-wrong" not in told
    assert CREDENTIAL not in told


@pytest.mark.parametrize(
    ("base_url", "reason", "words"),
    [
        ("{base}", "NotFound", "does `baseURL` lack `/v1`?"),
        ("{base}/v2", "NotFound", "no model `sparrow` at"),
        ("http://127.0.0.1:1/v1", "ConnectionFailed", "no connection to `http://127.0.0.1:1/v1`"),
        ("https://nowhere.invalid/v1", "Unresolvable", "`nowhere.invalid` leads to no address"),
    ],
)
def test_a_wrong_address_is_said_with_what_to_do(  # noqa: PLR0917  pytest passes them by name
    site: Site, start: Start, simulated: SimulatedProvider, base_url: str, reason: str, words: str
) -> None:
    write(site, base_url.format(base=simulated.base_url.removesuffix("/v1")))
    up = start(site).serving()
    assert ask(site.ports[0])[0] in (502, 503)
    failing = up.wait_for("failing", words)
    assert (failing["endpoint"], failing["reason"]) == ("sim/one", reason)
    status_with(site, 1)
    write(site, simulated.base_url)
    up.wait_for("recovered")
    assert ask(site.ports[0])[0] == 200
    until(lambda: status(site)[0] == 0)


def test_an_ejected_rung_is_said_while_the_next_one_answers(
    site: Site, start: Start, simulated: SimulatedProvider
) -> None:
    with SimulatedProvider(models=("sparrow",), keys=(CREDENTIAL,)) as other:
        ours = provider(simulated.base_url, "sparrow")
        ours["spec"]["healthCheck"] = {"interval": "1s", "timeout": "1s"}
        ours["spec"]["circuitBreaker"] = {"openFor": "10s"}
        site.write("provider.yaml", ours, secret("sim", key=CREDENTIAL))
        site.write("other.yaml", provider(other.base_url, "sparrow", name="other"), secret("other", key=CREDENTIAL))
        site.write("route.yaml", route("chat", "sparrow", fallbacks=[{"provider": "other", "model": "sparrow"}]))
        up = start(site).serving()
        simulated.control.fault(status=500)
        for _ in range(6):
            assert ask(site.ports[0])[:2] == (200, "other/one/sparrow")
        assert up.wait_for("failing", "sim/one: answers 500")["reason"] == "ServerError"
        stands = [f"sim/one/sparrow {how} > other/one/sparrow >" for how in ("[ejected]", "[Down, 0%]")]
        until(lambda: any(one in status(site)[2] for one in stands))
        document, _ = status_with(site, 1)
        states = {one["provider"]: one["state"] for one in document["endpoints"]}
        assert states["sim"] in ("Suspect", "Down")
        assert states["other"] == "Healthy"
        simulated.control.clear()
        until(lambda: ask(site.ports[0])[1] == "sim/one/sparrow", "the ejection ends by itself")
        up.wait_for("recovered", "sim/one answers again")
        until(lambda: status(site)[0] == 0)


def test_one_model_that_is_not_there_is_not_its_endpoint_s_failure(
    site: Site, start: Start, simulated: SimulatedProvider
) -> None:
    site.write("provider.yaml", provider(simulated.base_url, "sparrow", "unicorn"), secret("sim", key=CREDENTIAL))
    site.write("second.yaml", route("other", "unicorn"))
    up = start(site).serving()
    assert ask(site.ports[0])[0] == 200
    until(lambda: endpoint(site)["state"] == "Healthy")
    assert ask(site.ports[0], "other")[0] == 502
    failing = up.wait_for("failing", "sim/one/unicorn: answers 404: no model `unicorn`")
    assert failing["reason"] == "NotFound"
    document, _ = status_with(site, 1)
    assert [one["state"] for one in document["endpoints"]] == ["Healthy"]


def test_what_check_finds_is_what_up_refuses(site: Site, start: Start) -> None:
    for name, wrong in {
        "model": route("wrong-model", "sparow"),
        "elsewhere": route("wrong-provider", "sparrow", provider="simm"),
        "field": route("wrong-field", "sparrow", maxOutputToken=1),
        "key": consumer("nobody", "none"),
        "twice": route("twice", "sparrow"),
        "again": route("twice", "heron"),
        "policy": {**budget("1"), "spec": {"limit": {"usd": "1"}, "window": {"every": "1d"}}},
    }.items():
        site.write(f"{name}.yaml", wrong)
    (site.manifests / "yaml.yaml").write_text("kind: [")
    said = say("check", "-f", site.manifests, "-c", site.config, "-o", "json")
    found = json.loads(said.stdout)
    assert (said.returncode, found["ok"]) == (1, False)
    problems = [one for one in found["diagnostics"] if one["weight"] == "problem"]
    assert len(problems) == 7
    up = start(site).serving()
    refused = [one["what"] for one in up.events if one["event"] == "refused"]
    for one in problems:
        assert any(one["object"] in what and one["message"] in what for what in refused), (one, refused)
