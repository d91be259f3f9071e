"""What rules cost: CPU time of Envoy per request, of a whole gateway, as ratios to a route without rules.

    PYTHONPATH=tests:tests/envoy python -m benchmarks.rules [--rounds N] [--against CHECKOUT]

CPU time, not requests per second: it depends less on the other load of the machine, and not on this slow client. How
the gateways take turns is said in `benchmarks.turns`. No rule matches: the whole prompt is walked, and the whole last
text is searched for 16 literals. A classifier is asked for each request, and says what no rule asks for; it answers at
once, so its own time is not in the figures. "Remembered": it is asked for the first request alone. `--against` measures
a route without rules by another checkout of this repository, such as one from before there were any.
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

from benchmarks.turns import TIMES, Gateway, table, take

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
    "classifier, a service": {"classifier": "service"},
    "classifier, a route": {"classifier": "route"},
    "classifier, remembered": {"classifier": "service", "remember_s": 3600},
}
TURN = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all.\n"
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Simple."}, "finish_reason": "stop"}],
        "category": "simple",  # the same provider is asked as the classifier
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    }
).encode()
COMMAND = """
import json, sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
import running
from fairlead import envoy, ir
folder, port, asked = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
one = running.target("p/e/m", SimpleNamespace(port=port))
names = ("chat", "other")
routes = {name: running.route(f"team/{name}", running.plan(f"team/{name}/0", last=one)) for name in names}
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
if "classifier" in asked:
    who = {"service": {"service": f"127.0.0.1:{port}"}, "route": {"route": "team/other", "prompt": "One word."}}
    how = {"categories": ("code", "simple"), "timeout_ms": 5000, "remember_s": asked.get("remember_s", 0)}
    by_category = ir.RouteRule(name="code", route="team/other", conditions=ir.Conditions(category="code"))
    classifier = ir.Classifier(**how, **who[asked["classifier"]])
    routes["chat"] = replace(routes["chat"], rules=(by_category,), classifier=classifier)
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
    with ExitStack() as stack:
        echo = stack.enter_context(Echo(short=True, said=ANSWER))
        gateways = {name: start(stack, here, echo.port, asked) for name, asked in VARIANTS.items()}
        if options.against:
            gateways[BEFORE] = start(stack, options.against.resolve(), echo.port, {})
        turns = {name: Gateway(one.process.pid, one.port("data")) for name, one in gateways.items()}
        costs = take(turns, options.rounds, chat)
    asked = len(gateways) + sum("classifier" in one and "remember_s" not in one for one in VARIANTS.values())
    if echo.requests < asked * sum(TIMES.values()) * (options.rounds + 1):
        raise SystemExit("a classifier was not asked each time, which the figures are about: the machine is too busy")
    print(table(costs, PLAIN))


if __name__ == "__main__":
    main()
