"""A team: a namespace that agreed, with routes and consumers in it."""

from typing import Any

import httpx

from harness.cluster import Cluster
from harness.kubectl import condition
from harness.waiting import eventually

API = "fairlead.dev/v1alpha1"
_OK = 200


class Team:
    """One namespace of users."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.kubectl, self.namespace = cluster, cluster.kubectl, namespace

    def join(self, *, agrees: bool = True) -> None:
        """Make the namespace, and the RoleBinding that lets the operator read consumers' keys in it."""
        self.kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        if agrees:
            self.agree()

    def agree(self) -> None:
        """Run the command that the condition of a ModelConsumer prints."""
        self.kubectl(
            "-n",
            self.namespace,
            "create",
            "rolebinding",
            "fairlead-consumer-keys",
            "--clusterrole=fairlead-consumer-keys",
            "--serviceaccount=fairlead:fairlead",
        )

    def leave(self) -> None:
        """Take everything away; the objects at once, so that the next test does not see them go."""
        self.kubectl("delete", "fairlead", "--all", "-n", self.namespace, "--ignore-not-found")
        self.kubectl("delete", "namespace", self.namespace, "--wait=false", "--ignore-not-found")

    def route(self, name: str, provider: str, model: str, **spec: Any) -> dict[str, Any]:
        return self._object("ModelRoute", name, {"primary": {"provider": provider, "model": model}, **spec})

    def consumer(self, name: str) -> dict[str, Any]:
        return self._object("ModelConsumer", name, {"keys": [{"secretName": name}]})

    def policy(self, name: str, usd: str) -> dict[str, Any]:
        return self._object("BudgetPolicy", name, {"limit": {"usd": usd}})

    def key(self, name: str, value: str) -> dict[str, Any]:
        metadata = {"name": name, "namespace": self.namespace}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"apiKey": value}}

    def _object(self, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        return {"apiVersion": API, "kind": kind, "metadata": {"name": name, "namespace": self.namespace}, "spec": spec}

    def is_let_in(self, url: str, key: str) -> None:
        """Wait until a gateway knows a key; for a consumer that is Ready it does."""

        def models() -> bool:
            headers = {"authorization": f"Bearer {key}"}
            return httpx.get(f"{url}/v1/models", headers=headers, trust_env=False).status_code == _OK

        # Each pod of a region has its own mount, and a Service asks any of them.
        eventually(f"{self.namespace}'s key", lambda: all(models() for _ in range(10)))

    def state(self, kind: str, name: str, type_: str) -> dict[str, Any]:
        """Return a condition of one of its objects, {} until the present generation was judged."""
        return condition(self.kubectl.get(kind, name, self.namespace), type_)

    def is_ready(self, kind: str, name: str, *, within_s: float = 180) -> None:
        eventually(
            f"{kind} {self.namespace}/{name} to be Ready",
            lambda: self.state(kind, name, "Ready")["status"] == "True",
            within_s=within_s,
        )
