"""What the operator asked of the API server, as a cluster of our own notes it, and what its roles allow."""

import json
from dataclasses import dataclass
from pathlib import Path

from harness.cluster import Cluster
from harness.install import NAMESPACE


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """A verb on a resource (`modelroutes/status`) of an API group."""

    group: str
    resource: str
    verb: str


def granted(cluster: Cluster) -> set[Right]:
    """Return what the roles of the operator's ServiceAccount allow, wherever they are bound."""
    bindings = cluster.kubectl.list("rolebindings") + cluster.kubectl.list("clusterrolebindings")
    account = {"kind": "ServiceAccount", "name": "fairlead", "namespace": NAMESPACE}
    found = set()
    for binding in bindings:
        if account not in binding.get("subjects", []):
            continue
        role = binding["roleRef"]
        where = binding["metadata"].get("namespace") if role["kind"] == "Role" else None
        for rule in cluster.kubectl.get(role["kind"].lower(), role["name"], where)["rules"]:
            found |= {
                Right(group, resource, verb)
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
            }
    return found


def used(cluster: Cluster) -> set[Right]:
    """Return what the operator did since the cluster was booted. A patch that creates needs both verbs."""
    log = Path(cluster.kubectl.kubeconfig).parent / "log" / "audit.log"
    events = [json.loads(line) for line in log.read_text().splitlines()]
    return {
        Right(asked.get("apiGroup", ""), "/".join(filter(None, (asked["resource"], asked.get("subresource")))), verb)
        for event in events
        if event["responseStatus"]["code"] < 400 and (asked := event.get("objectRef"))
        for verb in _verbs(event)
    }


def _verbs(event: dict[str, object]) -> tuple[str, ...]:
    created = event["verb"] == "patch" and event["responseStatus"] == {"metadata": {}, "code": 201}
    return ("patch", "create") if created else (str(event["verb"]),)
