"""What a cluster says of itself when a test has failed: short enough to read, long enough to know why."""

from collections.abc import Callable

from harness.cluster import Cluster
from harness.install import NAMESPACE
from harness.kubectl import Kubectl

_LINES = 60


def gather(cluster: Cluster) -> list[tuple[str, str]]:
    """Return sections, each with its title. What cannot be had says why."""
    kubectl = cluster.kubectl
    asked: dict[str, Callable[[], str]] = {
        "pods": lambda: kubectl("get", "pods", "-A", "-o", "wide", timeout_s=30),
        "objects": lambda: kubectl("get", "fairlead", "-A", timeout_s=30),
        "events": lambda: kubectl("get", "events", "-A", "--sort-by=.lastTimestamp", timeout_s=30),
        **{f"log of {kind}s": _logs(kubectl, kind) for kind in ("operator", "gateway", "budget-server")},
    }
    return [(title, _tail(title, ask)) for title, ask in asked.items()]


def _logs(kubectl: Kubectl, component: str) -> Callable[[], str]:
    labels = f"app.kubernetes.io/part-of=fairlead,app.kubernetes.io/component={component}"
    words = ("logs", "-n", NAMESPACE, "-l", labels, "--prefix", f"--tail={_LINES}", "--all-containers")
    return lambda: kubectl(*words, timeout_s=30)


def _tail(title: str, ask: Callable[[], str]) -> str:
    try:
        lines = ask().splitlines()
    except Exception as error:  # noqa: BLE001  evidence that is missing must not hide the failure
        return f"no {title}: {error}"
    return "\n".join(lines[-_LINES:])
