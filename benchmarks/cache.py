"""What kept answers cost: CPU time of Envoy per request, of a whole gateway, as ratios to a route that keeps none.

    PYTHONPATH=tests:tests/envoy python -m benchmarks.cache [--rounds N] [--against CHECKOUT]

How the gateways take turns is said in `benchmarks.turns`. A miss is a request with `Cache-Control: no-cache`: its
answer is kept each time. "Beside" is a route that keeps nothing in a gateway where another one does. `--against`
measures a route that keeps nothing by another checkout of this repository, such as one from before there were caches.
"""

import argparse
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from echo import Echo
from gateway import EnvoyProcess, new_folder

from benchmarks.rules import ANSWER, chat
from benchmarks.turns import Gateway, table, take

PLAIN, BEFORE = "no cache", "no cache, before"
NO_CACHE = "Cache-Control: no-cache\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A gateway, and what it is asked."""

    keeps: str
    """The route that keeps answers; empty = none. Asked is `chat`."""
    headers: str = ""


VARIANTS = {
    PLAIN: Variant(keeps=""),
    "no cache, beside one": Variant(keeps="other"),
    "cache, hit": Variant(keeps="chat"),
    "cache, miss": Variant(keeps="chat", headers=NO_CACHE),
}
COMMAND = """
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
import running
from fairlead import envoy, ir
folder, port, keeps = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
one = running.target("p/e/m", SimpleNamespace(port=port))
routes = {name: running.route(f"team/{name}", running.plan(f"team/{name}/0", last=one)) for name in ("chat", "other")}
fields = {}
if keeps:
    routes[keeps] = replace(routes[keeps], cache=ir.Cache(ttl_ms=3_600_000, shared=False, digest="d"))
    fields["cache_bytes"] = 1 << 24
whole = running.gateway(routes, {f"team/{name}/0": (one,) for name in routes}, **fields)
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


def start(stack: ExitStack, checkout: Path, port: int, keeps: str) -> EnvoyProcess:
    """Start a gateway whose files a checkout of this repository makes."""
    folder = new_folder()
    path = os.pathsep.join(str(checkout / part) for part in ("operator", "tests", "tests/envoy"))
    command = [sys.executable, "-c", COMMAND, str(folder), str(port), keeps]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path}, timeout=60)
    bootstrap = json.loads((folder / "bootstrap.json").read_bytes())
    return stack.enter_context(EnvoyProcess(bootstrap, folder=folder, concurrency=1))


def main() -> None:
    """Run the rounds and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    with ExitStack() as stack:
        echo = stack.enter_context(Echo(short=True, said=ANSWER))
        variants = {name: (here, variant) for name, variant in VARIANTS.items()}
        if options.against:
            variants[BEFORE] = (options.against.resolve(), VARIANTS[PLAIN])
        turns = {}
        for name, (checkout, variant) in variants.items():
            one = start(stack, checkout, echo.port, variant.keeps)
            turns[name] = Gateway(one.process.pid, one.port("data"), variant.headers)
        print(table(take(turns, options.rounds, chat), PLAIN))


if __name__ == "__main__":
    main()
