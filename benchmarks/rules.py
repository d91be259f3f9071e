"""What rules cost: CPU time of Envoy per request, of a whole gateway, as ratios to a route without rules.

    PYTHONPATH=tests:tests/envoy python -m benchmarks.rules [--rounds N] [--against CHECKOUT]

CPU time, not requests per second: it depends less on the other load of the machine, and not on this slow client. The
gateways take turns within every round. A ratio is taken within a round, to what stands next to it in time; shown are
the median of all rounds, and the quartiles. No rule matches: the whole prompt is walked, and the whole last text is
searched for 16 literals. `--against` measures a route without rules by another checkout of this repository, such as one
from before there were any.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from echo import Echo
from gateway import EnvoyProcess, new_folder

from benchmarks.cpu import cpu_seconds
from benchmarks.request_filter import connection

PLAIN, BEFORE = "no rules", "no rules, before"
WORDS = (
    "sql",
    "python",
    "stack trace",
    "regex",
    "kubernetes",
    "terraform",
    "segfault",
    "compile",
    "refactor",
    "dockerfile",
)
LITERALS = (*WORDS, "größe", "привет", "mutex", "borrow checker", "race condition", "null pointer")
SIZE = {"prompt_tokens": [32_000, None]}
TEXT = {"last_user_contains": sorted(LITERALS)}
VARIANTS: dict[str, dict[str, object]] = {
    PLAIN: {},
    "rules on size": SIZE,
    "rules on text": TEXT,
    "both": {**SIZE, **TEXT},
}
TURN = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all.\n"
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Indeed."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    }
).encode()
TIMES = {1_000: 400, 30_000: 200}
COMMAND = """
import json, sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
import running
from fairlead import envoy, ir
folder, port, asked = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
one = running.target("p/e/m", SimpleNamespace(port=port))
routes = {name: running.route(f"team/{name}", running.plan(f"team/{name}/0", last=one)) for name in ("chat", "other")}
rules = []
if "prompt_tokens" in asked:
    least, below = asked["prompt_tokens"]
    rules.append(ir.Conditions(prompt_tokens=ir.TokenRange(at_least=least, below=below)))
    rules.append(ir.Conditions(images=True))
if "last_user_contains" in asked:
    rules.append(ir.Conditions(last_user_contains=tuple(asked["last_user_contains"])))
if rules:
    made = [ir.RouteRule(name=f"r{at}", route="team/other", conditions=found) for at, found in enumerate(rules)]
    routes["chat"] = replace(routes["chat"], rules=tuple(made))
whole = running.gateway(routes, {f"team/{name}/0": (one,) for name in routes})
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


def chat(size: int) -> bytes:
    """Write a request whose last message of the user is nearly all of it, as the official client writes it."""
    text = TURN * (size // len(TURN))
    messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": text}]
    return json.dumps({"messages": messages, "model": "chat", "temperature": 0.2}, separators=(",", ":")).encode()


def start(stack: ExitStack, checkout: Path, port: int, asked: dict[str, object]) -> EnvoyProcess:
    """Start a gateway whose files a checkout of this repository makes."""
    folder = new_folder()
    path = os.pathsep.join(str(checkout / part) for part in ("operator", "tests", "tests/envoy"))
    command = [sys.executable, "-c", COMMAND, str(folder), str(port), json.dumps(asked)]
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
    costs: dict[tuple[int, str], list[float]] = {}
    with ExitStack() as stack:
        echo = stack.enter_context(Echo(short=True, said=ANSWER))
        gateways = {name: start(stack, here, echo.port, asked) for name, asked in VARIANTS.items()}
        if options.against:
            gateways[BEFORE] = start(stack, options.against.resolve(), echo.port, {})
        senders = {
            name: (one.process.pid, stack.enter_context(connection(one.port("data")))) for name, one in gateways.items()
        }
        for turn in range(options.rounds + 1):
            for size, times in TIMES.items():
                body = chat(size)
                head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-alice\r\n"
                request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
                order = list(senders.items())
                for name, (pid, send) in order[turn % len(order) :] + order[: turn % len(order)]:
                    before = cpu_seconds(pid)
                    send(request, times)
                    if turn:  # the first round warms caches, connections and the compiler of LuaJIT
                        costs.setdefault((size, name), []).append((cpu_seconds(pid) - before) / times * 1e6)
    print("| body | route | us of CPU | to no rules | quartiles |")
    print("|---|---|---|---|---|")
    for size in TIMES:
        for name in (PLAIN, *(one for one in senders if one != PLAIN)):
            ratios = [mine / plain for mine, plain in zip(costs[size, name], costs[size, PLAIN], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            spent = statistics.median(costs[size, name])
            print(f"| {size // 1000} KB | {name} | {spent:.0f} | {middle:.2f}x | {low:.2f} to {high:.2f} |")


if __name__ == "__main__":
    main()
