"""Pages about clusters are done from top to bottom, and end in what they say: a system that answers."""

import base64
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from harness.cluster import ROOT, Cluster, boot
from harness.gateway import reach
from harness.install import NAMESPACE, VALUES
from harness.kubectl import condition
from harness.pages import Reader
from harness.provider import Provider
from harness.waiting import eventually

from documents import blocks

KEY = "sk-of-the-page"
REGION, TEAM = "us-east-1", "team-web"
GATEWAY = f"fairlead-gateway-{REGION}"
RUNBOOKS = sorted(
    str(page.relative_to(ROOT))
    for page in (*(ROOT / "docs" / "runbooks").glob("*.md"), ROOT / "docs" / "way-in.md")
    if any(block.on_cluster for block in blocks(page))
)
SMALL = {name: values for name, values in VALUES.items() if name not in ("installation", "regions")}


@pytest.fixture(scope="module")
def own() -> Iterator[Cluster]:
    if os.environ.get("E2E_KUBECONFIG"):
        pytest.skip("installs and uninstalls: not on a cluster that somebody else uses")
    with boot("pages") as found:
        yield found


@pytest.fixture(scope="module")
def provider(own: Cluster) -> Provider:
    """Who stands in for the page's provider: it has the page's model, and takes the page's key."""
    found = Provider(own, "sim", KEY, "deepseek-v4-flash")
    found.start()
    return found


@pytest.fixture(scope="module")
def reader(own: Cluster, provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    instead = {
        "https://us.example.com/v1": provider.base_url,
        "apiKey=sk-...": f"apiKey={KEY}",
        "PROVIDER": "global-api",
    }
    return Reader(own, tmp_path_factory.mktemp("reader"), values=SMALL, instead=instead)


@pytest.fixture(scope="module")
def installed(own: Cluster, reader: Reader) -> dict[str, Any]:
    """Do the page's install; return the gateway's Deployment as it was found right after, asked once."""
    reader.read("docs/install.md", lambda block: "helm uninstall" not in block.text and not _is_of_objects(block.text))
    deployment: dict[str, Any] = own.kubectl.get("deployment", GATEWAY, NAMESPACE)
    return deployment


@pytest.fixture(scope="module")
def served(reader: Reader, installed: dict[str, Any]) -> str:
    """Do what the page says of objects; return what its last command said."""
    assert installed
    *_, said = reader.read("docs/install.md", lambda block: _is_of_objects(block.text))
    return said


def _is_of_objects(text: str) -> bool:
    return any(word in text for word in ("create secret", "kind: ModelProvider", "kubectl apply"))


def _ask(own: Cluster) -> httpx.Response:
    """Ask as the page says: the key of its consumer, its model, the Service of its region."""
    secret = own.kubectl.get("secret", "agent-7", TEAM)["data"]["apiKey"]
    headers = {"authorization": f"Bearer {base64.b64decode(secret).decode()}"}
    body = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}
    with reach(own, REGION) as url:
        return httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, trust_env=False, timeout=30)


def test_install_comes_back_when_the_gateways_are_ready(installed: dict[str, Any]) -> None:
    assert installed["status"]["readyReplicas"] == installed["spec"]["replicas"]


def test_install_ends_in_a_gateway_that_answers(own: Cluster, served: str) -> None:
    assert "modelroute.fairlead.dev/chat" in served
    own.kubectl("-n", TEAM, "wait", "--for=condition=Ready", "modelconsumer/agent-7", "--timeout=60s")
    answer = _ask(own)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-fairlead-target"] == "global-api/us/deepseek-v4-flash"


@pytest.mark.usefixtures("served")
def test_what_the_pages_on_running_it_say_works(own: Cluster, reader: Reader) -> None:
    policy = {"apiVersion": "fairlead.dev/v1alpha1", "kind": "BudgetPolicy", "spec": {"limit": {"usd": "5"}}}
    own.kubectl.apply(
        {**policy, "metadata": {"name": "agents", "namespace": TEAM}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-data"}},
    )
    said = reader.read("docs/guides/budgets.md")
    assert f"{TEAM}/agents" in said[-1]
    assert "chat" in reader.read("docs/troubleshooting.md")[0]
    reader.read("docs/upgrade.md")
    reader.read("docs/tenancy.md")
    eventually("an answer", lambda: _ask(own).status_code == 200)
    assert own.kubectl.exists("rolebinding", "fairlead-consumer-keys", "team-data")


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("page", RUNBOOKS)
def test_what_the_runbooks_look_at_is_there(reader: Reader, page: str) -> None:
    reader.read(page)


@pytest.mark.usefixtures("served")
def test_the_example_of_gitops_is_accepted_in_the_order_in_which_tools_apply_it(own: Cluster, reader: Reader) -> None:
    # The install of another cluster of the example, without what this one has no part for
    own.kubectl("-n", NAMESPACE, "delete", "modelprovider", "global-api")
    values = "--values examples/gitops/clusters/us-east-1/values.yaml --set metrics.podMonitor.enabled=false"
    here = "--set gateway.replicas=1 --set gateway.service.type=ClusterIP"
    for command in (
        "kubectl label node --all topology.kubernetes.io/region=us-east-1",
        "kubectl apply -k examples/gitops/namespaces",
        f"helm upgrade --install fairlead helm/fairlead -n {NAMESPACE} {values} {here} --wait",
        f"kubectl -n {NAMESPACE} delete secret global-api",
        f"kubectl -n {NAMESPACE} create secret generic global-api --from-literal=us=sk-us --from-literal=eu=sk-eu",
        "kubectl apply -k examples/gitops/platform",
        "kubectl apply -k examples/gitops/teams/team-web",
    ):
        reader.run(command)
    # Its hosts exist nowhere, so that Ready ends with the first probes: what the files ask for is served all the same
    for kind, name, namespace in (
        ("modelprovider", "global-api", NAMESPACE),
        ("modelroute", "catalogue", NAMESPACE),
        ("modelroute", "chat", TEAM),
        ("modelconsumer", "agent-7", TEAM),
    ):
        _comes_to_be(own, kind, name, namespace, "Accepted", "ResolvedRefs", "Programmed")
    _comes_to_be(own, "modelconsumer", "agent-7", TEAM, "Ready")


def _comes_to_be(own: Cluster, kind: str, name: str, namespace: str, *types: str) -> None:
    """Wait until all these conditions of an object are True at once."""

    def are_true() -> bool:
        found = own.kubectl.get(kind, name, namespace)
        return all(condition(found, one)["status"] == "True" for one in types)

    eventually(f"{kind} {namespace}/{name} to be {types}", are_true)


@pytest.mark.usefixtures("served")
def test_uninstall_leaves_the_readers_objects(own: Cluster, reader: Reader) -> None:
    reader.read("docs/install.md", lambda block: "helm uninstall" in block.text)
    eventually("no gateway", lambda: not own.kubectl.exists("deployment", GATEWAY, NAMESPACE))
    assert own.kubectl.exists("modelroute", "chat", TEAM)
