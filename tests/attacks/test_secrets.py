"""Secrets, searched in all that a run says, shows, answers or writes: they stand where Envoy reads them alone."""

import base64
import http.client
import json
import socket
import subprocess
import urllib.parse
from pathlib import Path

import pytest
import standing_by
from running_up import COMMAND, PATIENCE_S, RunningUp, Site, ask, budget, consumer, provider, route, secret, until

from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

PROVIDER, CONSUMER, GUESS = "sk-prov/ider+7 secret", "sk-con%sumer/+7", "sk-guess/+7"
SECRETS = (PROVIDER, CONSUMER, GUESS)
SHOWN = (
    "/config_dump?include_eds",
    "/stats",
    "/stats?format=json",
    "/clusters",
    "/listeners",
    "/server_info",
    "/certs",
)
HOLDERS = {"us-east-1/keys/ecds.json": CONSUMER, "us-east-1/credentials/sim/key": PROVIDER}


class _Admin(http.client.HTTPConnection):
    """Envoy's admin interface, on its socket file."""

    def __init__(self, path: str) -> None:
        super().__init__("admin", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def forms(text: str) -> set[str]:
    """Return how a secret may be spelled in an output."""
    return {
        text,
        json.dumps(text)[1:-1],
        text.replace("/", "\\/"),
        urllib.parse.quote(text),
        urllib.parse.quote(text, safe=""),
        base64.b64encode(text.encode()).decode().rstrip("=")[:-1],
        text.encode().hex(),
    }


def found(text: str) -> list[str]:
    return [one for one in SECRETS if any(form in text for form in forms(one))]


def said(*arguments: str) -> str:
    done = subprocess.run([*COMMAND, *arguments], check=False, capture_output=True, text=True, timeout=PATIENCE_S)
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def shown(connection: http.client.HTTPConnection, path: str, headers: dict[str, str] | None = None) -> str:
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return f"{answer.status} {answer.getheaders()} {answer.read().decode(errors='replace')}"
    finally:
        connection.close()


def test_a_search_finds_what_is_there() -> None:
    for one in SECRETS:
        for form in forms(one):
            assert found(f"x{form}y") == [one]


def test_no_output_has_a_secret(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with SimulatedProvider(models=("sparrow",), keys=(PROVIDER,)) as simulated:
        site.write("provider.yaml", provider(simulated.base_url, "sparrow"), secret("sim", key=PROVIDER))
        site.write("route.yaml", route("chat", "sparrow"), budget("5"))
        site.write("agent.yaml", consumer("agent", "k"), secret("agent", k=CONSUMER))
        config, manifests = str(site.config), str(site.manifests)
        outputs: dict[str, str] = {}
        with RunningUp(site, before=standing_by.LOADS) as up:
            up.serving()
            (port,) = site.ports
            assert ask(port, key=CONSUMER)[0] == 200
            simulated.control.fault(status=401, count=1)
            for key in (GUESS, CONSUMER):
                outputs[f"an answer to {key}"] = str(ask(port, key=key))
            site.write("agent.yaml", consumer("agent", "k", "gone"), secret("agent", k=CONSUMER))
            up.wait_for("refused")
            for command in ("status", "budgets"):
                outputs[command] = said(command, "-c", config)
                outputs[f"{command} as JSON"] = said(command, "-c", config, "-o", "json")
            (region,) = json.loads(outputs["status as JSON"])["regions"]
            for path in SHOWN:
                outputs[f"admin {path}"] = shown(_Admin(region["admin"]), path)
                assert outputs[f"admin {path}"].startswith("200 ")
            for path in ("/v1/usage", "/v1/models", "/fairlead/ready", "/fairlead/held", "/config_dump"):
                keyed = {"Authorization": f"Bearer {CONSUMER}"}
                outputs[path] = shown(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S), path, keyed)
            host, _, number = region["metrics"].rpartition(":")
            outputs["metrics"] = shown(http.client.HTTPConnection(host, int(number), timeout=PATIENCE_S), "/metrics")
            for path in ("/metrics", "/healthz", "/v1/budgets", "/v1/spend"):
                outputs[f"budget server {path}"] = shown(_Admin(str(site.state / "_budget" / "http.sock")), path)
            outputs["environments"] = "".join(path.read_text() for path in up.environments())
            outputs["arguments"] = "".join((path.parent / "cmdline").read_text() for path in up.environments())
            until(lambda: len((site.state / "us-east-1" / "access.log").read_text().splitlines()) >= 3)
            assert up.stop() == 0
            outputs["events"], outputs["errors"] = json.dumps(up.events), up.errors
        outputs["check"] = said("check", "-f", manifests, "-c", config)
        outputs["render"] = said("render", "-f", manifests, "-c", config, "-o", str(tmp_path / "out"))
    for folder in (site.state, tmp_path / "out"):
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert len(files) > 3
        outputs |= {str(path.relative_to(folder)): path.read_bytes().decode(errors="replace") for path in files}
    assert {name: found(text) for name, text in outputs.items() if found(text)} == {
        name: [one] for name, one in HOLDERS.items()
    }
