"""Simulated providers in the cluster, from the operator's image: strict about key, path, model and headers."""

import json
from typing import Any

import yaml

from harness.cluster import IMAGES, Cluster

NAMESPACE = "models"
PORT, CONTROL_PORT = 8000, 8001


class Provider:
    """One simulated provider: a pod behind a Service, which takes commands through its control port."""

    def __init__(self, cluster: Cluster, name: str, key: str, models: str) -> None:
        self._cluster, self.name, self.key, self.models = cluster, name, key, models

    @property
    def base_url(self) -> str:
        return f"http://{self.name}.{NAMESPACE}.svc:{PORT}/v1"

    def start(self) -> None:
        image = yaml.safe_load((IMAGES / "values.yaml").read_text())["images"]["operator"]
        labels = {"app": self.name}
        container = {
            "name": "provider",
            "image": f"{image['repository']}:{image['tag']}",
            "imagePullPolicy": image["pullPolicy"],
            "command": ["python3", "-m", "fairlead.demo.provider", "--address", "0.0.0.0", "--port", str(PORT)],  # noqa: S104
            "args": ["--control-port", str(CONTROL_PORT), "--models", self.models, "--region", self.name]
            + [word for key in self.key.split(",") for word in ("--key", key)],
            "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        }
        self._cluster.kubectl.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": self.name, "namespace": NAMESPACE},
                "spec": {
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
                    },
                },
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": self.name, "namespace": NAMESPACE},
                "spec": {"selector": labels, "ports": [{"name": "http", "port": PORT}]},
            },
        )
        self._cluster.kubectl("-n", NAMESPACE, "rollout", "status", f"deployment/{self.name}", "--timeout=300s")

    def resource(self, **spec: Any) -> dict[str, Any]:
        """Write the ModelProvider for it."""
        models = [
            {"name": model, "usdPerMillionTokens": {"input": "0.18", "output": "0.25"}}
            for model in self.models.split(",")
        ]
        endpoint = {"name": "main", "baseURL": self.base_url, "credential": {"secretName": self.name}}
        return {
            "apiVersion": "fairlead.dev/v1alpha1",
            "kind": "ModelProvider",
            "metadata": {"name": self.name, "namespace": "fairlead"},
            "spec": {
                "allowedRoutes": {"namespaces": {"from": "All"}},
                "endpoints": [endpoint],
                "models": models,
                **spec,
            },
        }

    def secret(self, key: str | None = None) -> dict[str, Any]:
        """Write the Secret with its credential."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self.name, "namespace": "fairlead"},
            "stringData": {"apiKey": key or self.key.split(",")[0]},
        }

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Give it a command, from inside its own pod: the control port is open to nobody else."""
        script = (
            "import json,sys,urllib.request as u;"
            f"r=u.Request('http://127.0.0.1:{CONTROL_PORT}{path}',method='{method}',"
            "data=sys.stdin.buffer.read() or None,headers={'content-type':'application/json'});"
            "sys.stdout.write(u.urlopen(r,timeout=10).read().decode())"
        )
        answer = self._cluster.kubectl(
            "-n",
            NAMESPACE,
            "exec",
            "-i",
            f"deployment/{self.name}",
            "--",
            "python3",
            "-c",
            script,
            stdin=json.dumps(body) if body is not None else "",
        )
        return json.loads(answer or "null")
