"""`fairlead status`: without a run of `fairlead up`, and against an API server that answers lists."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from command_line import run

ROUTE = {
    "metadata": {"name": "chat", "namespace": "team-web", "generation": 1},
    "status": {
        "observedGeneration": 1,
        "conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": ""}],
        "gateways": [{"region": "us-east-1", "ladder": ["p/us/small"], "digest": "d"}],
    },
}
BROKEN = {"metadata": {"name": "other", "namespace": "team-web", "generation": 1}}


class ApiServer(ThreadingHTTPServer):
    """What is listed by path; other paths are forbidden."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.items: dict[str, list[Any]] = {}
        self.asked: list[str] = []

    def serves(self, namespace: str | None, **items: Any) -> None:
        for plural in ("modelproviders", "modelroutes", "modelconsumers", "budgetpolicies"):
            where = f"namespaces/{namespace}/" if namespace else ""
            self.items[f"/apis/fairlead.dev/v1alpha1/{where}{plural}"] = items.get(plural, [])


class _Handler(BaseHTTPRequestHandler):
    server: ApiServer
    protocol_version: ClassVar = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        items = self.server.items.get(path)
        if items is None:
            status, answer = (
                403,
                {"kind": "Status", "status": "Failure", "message": f"{path} is forbidden", "code": 403},
            )
        else:
            status, answer = 200, {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": items}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def silent() -> Iterator[int]:
    """Return a port that takes connections and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def kubeconfig(api: ApiServer, silent: int, tmp_path: Path) -> str:
    """Return one with three contexts; nobody listens where the current one leads."""
    servers = {
        "there": f"http://127.0.0.1:{api.server_port}",
        "silent": f"http://127.0.0.1:{silent}",
        "away": "http://127.0.0.1:1",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "away",
                "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in servers],
                "clusters": [{"name": name, "cluster": {"server": server}} for name, server in servers.items()],
                "users": [{"name": "me", "user": {"token": "t"}}],
            }
        )
    )
    return str(path)


def test_status_without_a_run_says_so(files: Path) -> None:
    result = run("status", "-c", files / "fairlead.yaml")
    assert result.exit_code == 1
    assert "never ran here" in result.stderr


def test_a_cluster_where_all_is_well(api: ApiServer, kubeconfig: str) -> None:
    api.serves(None, modelroutes=[ROUTE])
    result = run("status", "--context", "there", KUBECONFIG=kubeconfig)
    assert (result.stderr, result.exit_code) == ("", 0)
    assert result.stdout.splitlines() == ["us-east-1", "  team-web/chat  p/us/small", "", "1 of 1 objects are ready"]


def test_an_object_that_is_not_ready_is_exit_code_1(api: ApiServer, kubeconfig: str) -> None:
    api.serves(None, modelroutes=[ROUTE, BROKEN])
    result = run("status", "--context", "there", "-A", KUBECONFIG=kubeconfig)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == (
        "  ModelRoute team-web/other: no operator has judged its present generation yet"
    )


def test_one_namespace_of_a_cluster_for_a_machine(api: ApiServer, kubeconfig: str) -> None:
    api.serves("team-web", modelroutes=[ROUTE])
    result = run("status", "--context", "there", "-n", "team-web", "-o", "json", KUBECONFIG=kubeconfig)
    assert result.exit_code == 0
    described = json.loads(result.stdout)
    assert [one["name"] for one in described["objects"]] == ["chat"]
    assert described["regions"][0]["routes"][0]["ladder"] == ["p/us/small"]


def test_whoever_may_not_list_all_namespaces_is_told_to_name_one(api: ApiServer, kubeconfig: str) -> None:
    api.serves("team-web")
    result = run("status", "--context", "there", KUBECONFIG=kubeconfig)
    assert result.exit_code == 1
    assert "modelproviders is forbidden; give -n" in result.stderr


def test_a_cluster_that_does_not_answer(kubeconfig: str) -> None:
    result = run("status", KUBECONFIG=kubeconfig)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: list ModelProvider: ")


def test_several_clusters_are_asked_at_once_and_none_waits_for_another(
    api: ApiServer, kubeconfig: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairlead.cli.status.CLUSTER_S", 3.0)
    api.serves(None, modelroutes=[ROUTE])
    began = time.monotonic()
    result = run("status", "--context", "silent,away,nowhere,there", KUBECONFIG=kubeconfig)
    assert 3 < time.monotonic() - began < 25
    assert (result.stderr, result.exit_code) == ("", 1)
    rows = result.stdout.splitlines()
    assert rows[1] == "silent   tells nothing: no answer within 3 s"
    assert rows[2].startswith("away     tells nothing: list ModelProvider: ")
    assert "got context `nowhere`, want one of `there`" in rows[3]
    assert rows[4].split() == ["there", "us-east-1", "1", "of", "1", "0", "well"]
    assert rows[6:] == ["route          there", "team-web/chat  p/us/small"]


def test_several_clusters_for_a_machine(api: ApiServer, kubeconfig: str) -> None:
    api.serves("team-web", modelroutes=[ROUTE])
    result = run("status", "--context", "there,away", "-n", "team-web", "-o", "json", KUBECONFIG=kubeconfig)
    assert result.exit_code == 1
    there, away = json.loads(result.stdout)["clusters"]
    assert (there["context"], there["error"], there["regions"][0]["name"]) == ("there", "", "us-east-1")
    assert (away["context"], set(away)) == ("away", {"context", "error"})


@pytest.mark.parametrize("names", ["a,", ",a", "a,a", "a,,b"])
def test_names_of_contexts_are_names(names: str) -> None:
    assert run("status", "--context", names).exit_code == 2


def test_no_such_context(kubeconfig: str) -> None:
    result = run("status", "--context", "nowhere", KUBECONFIG=kubeconfig)
    assert result.exit_code == 1
    assert "got context `nowhere`, want one of" in result.stderr


@pytest.mark.parametrize("content", ["[]", "a: b", "{", "current-context: x\ncontexts: []\nclusters: []"])
def test_a_file_that_is_no_kubeconfig(content: str, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    result = run("status", KUBECONFIG=str(path))
    assert result.exit_code == 1
    assert "no cluster to speak to: " in result.stderr


def test_no_kubeconfig_at_all(tmp_path: Path) -> None:
    result = run("status", KUBECONFIG=str(tmp_path / "none"))
    assert result.exit_code == 1
    assert "not found" in result.stderr
    assert result.stderr.startswith("error: no `.fairlead` of a `fairlead up` is in this folder, and no cluster")


@pytest.mark.parametrize(
    "arguments", [("-n", "a", "-A"), ("--state", ".", "-n", "a"), ("--state", ".", "--context", "b")]
)
def test_a_cluster_and_a_state_folder_are_not_asked_at_once(arguments: tuple[str, ...]) -> None:
    assert run("status", *arguments).exit_code == 2


def test_the_state_folder_here_goes_before_a_cluster(
    api: ApiServer, kubeconfig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.serves(None, modelroutes=[ROUTE])
    (tmp_path / ".fairlead").mkdir()
    monkeypatch.chdir(tmp_path)
    here, there = run("status", KUBECONFIG=kubeconfig), run("status", "--context", "there", KUBECONFIG=kubeconfig)
    assert "`fairlead up` never ran here" in here.stderr
    assert (there.exit_code, there.stdout.splitlines()[0]) == (0, "us-east-1")


def test_watching_shows_it_again_until_it_is_interrupted(
    api: ApiServer, kubeconfig: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.serves(None, modelroutes=[ROUTE])
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            api.serves(None, modelroutes=[ROUTE, BROKEN])
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr("fairlead.cli.watching.time.sleep", pause)
    result = run("status", "--watch", "--context", "there", KUBECONFIG=kubeconfig)
    assert "1 of 1 objects are ready" in result.stdout
    assert "1 of 2 objects are ready" in result.stdout
    assert result.exit_code == 1  # as the last look says


def test_a_watch_outlives_what_cannot_be_asked(kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fairlead.cli.watching.time.sleep", interrupt)
    result = run("status", "--watch", KUBECONFIG=kubeconfig)
    assert (result.exit_code, result.stdout[:7]) == (1, "error: ")


def test_a_machine_does_not_watch(tmp_path: Path) -> None:
    assert run("status", "--watch", "-o", "json", "--state", tmp_path).exit_code == 2
