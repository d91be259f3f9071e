"""Given a real API server, one logs in as users of real clusters do, and stays logged in while credentials rotate."""

import asyncio
import gc
import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from harness.cluster import Cluster
from harness.kubectl import Kubectl
from harness.team import Team

from fairlead.adapters.kube import ForbiddenError
from fairlead.adapters.kube_client import connect
from fairlead.controller import handlers

# kopf leaves sessions to the garbage where it is refused: collected in another test, each were an error of that one.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ACCOUNT = "reader"


@pytest.fixture(autouse=True)
def without_garbage() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def reader(team: Team) -> Iterator[Team]:
    """A ServiceAccount that may read routes everywhere."""
    team.kubectl("-n", team.namespace, "create", "serviceaccount", ACCOUNT)
    role = f"{team.namespace}-{ACCOUNT}"
    resources = "modelroutes,modelproviders,modelconsumers,budgetpolicies"
    team.kubectl("create", "clusterrole", role, "--verb=get,list,watch", f"--resource={resources},namespaces")
    team.kubectl(
        "create", "clusterrolebinding", role, f"--clusterrole={role}", f"--serviceaccount={team.namespace}:{ACCOUNT}"
    )
    yield team
    team.kubectl("delete", "clusterrolebinding", role)
    team.kubectl("delete", "clusterrole", role)


def kubeconfig(team: Team, folder: Path, user: Mapping[str, Any]) -> Kubectl:
    """Write a KUBECONFIG for this user, beside that of the cluster's administrator."""
    content = json.loads(team.kubectl("config", "view", "--raw", "-o", "json"))
    content["users"] = [{"name": "test", "user": dict(user)}]
    content["contexts"] = [
        {"name": "test", "context": {"user": "test", "cluster": one["context"]["cluster"]}}
        for one in content["contexts"]
        if one["name"] == content["current-context"]
    ]
    content["current-context"] = "test"
    (folder / "config").write_text(json.dumps(content))
    return Kubectl(folder / "config", team.kubectl.path)


class Tokens:
    """Tokens of the account. Each is bound to a Secret, and ends with it."""

    def __init__(self, team: Team) -> None:
        self._team = team

    def make(self, bound_to: str) -> str:
        self._team.kubectl("-n", self._team.namespace, "create", "secret", "generic", bound_to)
        words = ("create", "token", ACCOUNT, "--bound-object-kind=Secret", f"--bound-object-name={bound_to}")
        return self._team.kubectl("-n", self._team.namespace, *words).strip()

    def end(self, bound_to: str) -> None:
        self._team.kubectl("-n", self._team.namespace, "delete", "secret", bound_to)


def test_a_client_certificate(release: Cluster) -> None:
    users = json.loads(release.kubectl("config", "view", "--raw", "-o", "json"))["users"]
    if not any("client-certificate-data" in user["user"] for user in users):
        pytest.skip("this cluster's KUBECONFIG has no client certificate")
    # Of a namespace that nobody uses: what others have left in the installation's decides nothing.
    assert release.kubectl("fairlead", "status", "-n", "default").endswith("no objects\n")


def test_an_exec_plugin(reader: Team, tmp_path: Path) -> None:
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    credential["status"] = {"token": Tokens(reader).make("first")}  # type: ignore[assignment]
    (tmp_path / "credential").write_text(json.dumps(credential))
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "cat",
            "args": [str(tmp_path / "credential")],
            "interactiveMode": "Never",
        }
    }
    mine = kubeconfig(reader, tmp_path, user)
    assert mine("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}").endswith(f":{ACCOUNT}")
    assert mine("fairlead", "status", "-n", reader.namespace).endswith("no objects\n")


def test_a_token_file_that_rotates_is_in_use_without_a_new_connection(
    reader: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = Tokens(reader)
    (tmp_path / "token").write_text(tokens.make("first"))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(reader, tmp_path, {"tokenFile": "token"}).kubeconfig))
    told = _Told()

    async def ask() -> None:
        async with connect() as kube:
            assert await kube.list("ModelRoute", namespace=reader.namespace) == ()
            with pytest.raises(ForbiddenError, match="cannot list resource"):
                await kube.list("Secret", namespace=reader.namespace)
            watching = asyncio.create_task(asyncio.to_thread(told.watch, reader.namespace))
            (tmp_path / "token").write_text(tokens.make("second"))
            tokens.end("first")
            until = time.monotonic() + 60  # an API server believes a token for ten seconds more
            while time.monotonic() < until and "second" not in told.names:
                assert await kube.list("ModelRoute", namespace=reader.namespace) is not None
                if time.monotonic() > until - 40:
                    reader.kubectl.apply(reader.route("second", "none", "none"))
                await asyncio.sleep(1)
            told.stop.set()
            await watching
            assert "second" in told.names

    asyncio.run(ask())


class _Told:
    """What the operator's watches tell."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.stop = threading.Event()

    def watch(self, namespace: str) -> None:
        handlers.watch(self._take, namespaces=[namespace], identity="test", stop=self.stop)

    def _take(self, found: Mapping[str, Any], _: bool) -> None:
        self.names.add(found["metadata"]["name"])
