"""`fairlead status`: without a run of `fairlead up`, and against an API server that answers lists."""

import json
import threading
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
def kubeconfig(api: ApiServer, tmp_path: Path) -> str:
    """Two contexts; nobody listens where the current one leads."""
    servers = {"there": f"http://127.0.0.1:{api.server_port}", "away": "http://127.0.0.1:1"}
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


@pytest.mark.parametrize(
    "arguments", [("-n", "a", "-A"), ("--state", ".", "-n", "a"), ("--state", ".", "--context", "b")]
)
def test_a_cluster_and_a_state_folder_are_not_asked_at_once(arguments: tuple[str, ...]) -> None:
    assert run("status", *arguments).exit_code == 2
