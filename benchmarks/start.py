"""How long `fairlead up` takes from its start to the first answer, without budgets and with them, in turn.

    python -m benchmarks.start [ROUNDS]

Both serve the same route before the same provider; one more file is what the second has. CPU is that of the command and
all that it started. Runs take turns, so that whatever else the machine does hurts both alike.
"""

import http.client
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fairlead.demo.provider import SimulatedProvider

ROUNDS = 9
PATIENCE_S = 60.0
BODY = b'{"model": "chat", "max_tokens": 5, "messages": [{"role": "user", "content": "Who are you?"}]}'
BUDGET = "budget.yaml"
RESOURCES = """\
apiVersion: v1
kind: Secret
metadata: {{name: mine, namespace: fairlead}}
stringData: {{apiKey: provider-secret}}
---
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {{name: mine, namespace: fairlead}}
spec:
  allowedRoutes: {{namespaces: {{from: All}}}}
  endpoints: [{{name: local, baseURL: "{url}", credential: {{secretName: mine}}}}]
  models: [{{name: model-a, usdPerMillionTokens: {{input: "0.18", output: "0.25"}}}}]
---
apiVersion: fairlead.dev/v1alpha1
kind: ModelRoute
metadata: {{name: chat, namespace: fairlead}}
spec: {{primary: {{provider: mine, model: model-a}}, residency: Any}}
"""
POLICY = """\
apiVersion: fairlead.dev/v1alpha1
kind: BudgetPolicy
metadata: {name: daily, namespace: fairlead}
spec: {limit: {usd: "5"}, window: {calendar: Day}}
"""


def _one(folder: Path, port: int) -> tuple[float, float]:
    """Return seconds to the first 200, and seconds of CPU until then and the orderly end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    command = [str(Path(sys.executable).with_name("fairlead")), "up", "-f", "resources", "-c", "installation.yaml"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            while not _answers(port):
                if process.poll() is not None or time.monotonic() - began > PATIENCE_S:
                    raise SystemExit(f"{folder}: `fairlead up` does not answer")
                time.sleep(0.01)
            took = time.monotonic() - began
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=PATIENCE_S)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", "/v1/chat/completions", BODY, {"content-type": "application/json"})
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _site(root: Path, url: str, port: int, *, budget: bool) -> Path:
    (root / "resources").mkdir(parents=True)
    installation = f'regions: [{{name: local, geo: local, listen: "127.0.0.1:{port}"}}]\nanonymous: Allow\n'
    (root / "installation.yaml").write_text(installation)
    (root / "resources" / "all.yaml").write_text(RESOURCES.format(url=url))
    if budget:
        (root / "resources" / BUDGET).write_text(POLICY)
    return root


def main() -> None:
    """Print medians and quartiles, and the ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    found: dict[str, list[tuple[float, float]]] = {"without budgets": [], "with budgets": []}
    with (
        SimulatedProvider(models=("model-a",), keys=("provider-secret",)) as provider,
        tempfile.TemporaryDirectory() as scratch,
    ):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        sites = {
            name: _site(Path(scratch, name.replace(" ", "-")), provider.base_url, port, budget=name == "with budgets")
            for name in found
        }
        for number in range(rounds + 1):
            for name, site in sites.items():
                one = _one(site, port)
                if number:  # the first writes `.pyc` files and warms the page cache
                    found[name].append(one)
    print(f"{os.cpu_count()} cores, {rounds} rounds")
    print("                    first 200: quartiles, s      CPU, s")
    for name, runs in found.items():
        low, middle, high = statistics.quantiles([took for took, _ in runs], n=4)
        cpu = statistics.median(cpu for _, cpu in runs)
        print(f"{name:<18} {low:8.2f} {middle:8.2f} {high:8.2f} {cpu:14.2f}")
    without, having = (statistics.median(took for took, _ in runs) for runs in found.values())
    print(f"ratio of medians: {having / without:.2f}")


if __name__ == "__main__":
    main()
