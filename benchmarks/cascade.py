"""What a cascade costs: CPU time of Envoy per request, of a whole gateway, as ratios to the same route without one.

    PYTHONPATH=tests:tests/envoy python -m benchmarks.cascade [--rounds N]

CPU time, and gateways that take turns, as `benchmarks.turns` says. The provider answers at once, with
the same answer of one sentence: "good" is one that the first model's check accepts, "escalated" one that it rejects, so
that two models are asked. What a model takes to answer comes on top, for each that is asked.
"""

import argparse
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from echo import Echo
from gateway import EnvoyProcess, new_folder

from benchmarks.rules import ANSWER, chat
from benchmarks.turns import Gateway, table, take

PLAIN = "no cascade"
VARIANTS = {
    PLAIN: "",
    "another route has one": "other",
    "cascade, good": "stop",
    "cascade, escalated": "length",
}
COMMAND = """
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
import running
from fairlead import envoy, ir
folder, port, reason = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
ours = SimpleNamespace(port=port)
rungs = tuple(running.target(f"p/e/{model}", ours) for model in ("small", "large"))
accept = ir.Accept(finish_reasons=(reason,), json=True, tool_calls=True, refusal=True, min_characters=1)
judged = {"cascade": ir.Cascade(accept=accept, models=("small", "large"))} if reason else {}
names = ("chat", "other")
chat, other = (running.route(f"team/{name}", running.plan(f"team/{name}/0", last=rungs[0])) for name in names)
if reason == "other":
    other = replace(other, **judged)
else:
    chat = replace(chat, **judged)
whole = running.gateway({"chat": chat, "other": other}, {f"team/{name}/0": rungs for name in names})
anywhere = ir.ListenAddress(address="127.0.0.1", port=0)
layout = envoy.Layout(
    xds_dir=str(folder / "xds"), keys_dir=str(folder / "keys"), credentials_dir=str(folder / "credentials"),
    listen=anywhere, metrics_listen=anywhere, admin=str(folder / "admin.sock"),
    access_log=str(folder / "access.log"), ca_file="/dev/null", budget=None,
)
files = {**envoy.render(whole, layout), "keys/ecds.json": envoy.api_keys([("sk-alice", "team/alice")], None)}
for path, content in files.items():
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)
"""


def start(stack: ExitStack, port: int, reason: str) -> EnvoyProcess:
    """Start a gateway whose route accepts answers that end for this reason; without one it has no cascade."""
    folder = new_folder()
    here = Path(__file__).resolve().parents[1]
    path = os.pathsep.join(str(here / part) for part in ("operator", "tests", "tests/envoy"))
    command = [sys.executable, "-c", COMMAND, str(folder), str(port), reason]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path}, timeout=60)
    bootstrap = json.loads((folder / "bootstrap.json").read_bytes())
    return stack.enter_context(EnvoyProcess(bootstrap, folder=folder, concurrency=1))


def main() -> None:
    """Run the rounds and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with ExitStack() as stack:
        echo = stack.enter_context(Echo(short=True, said=ANSWER))
        gateways = {name: start(stack, echo.port, reason) for name, reason in VARIANTS.items()}
        turns = {name: Gateway(one.process.pid, one.port("data")) for name, one in gateways.items()}
        print(table(take(turns, options.rounds, chat), PLAIN))


if __name__ == "__main__":
    main()
