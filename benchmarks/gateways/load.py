"""Loads: wrk for the most a core can do, the open-loop generator for latency at a fixed rate."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gateways.contenders import LOAD_CORE, Running

CONNECTIONS = 32


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """What one core did with 32 connections that never pause."""

    requests_per_second: float
    cpu_us_per_request: float
    errors: int


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Milliseconds at a fixed rate, counted from the moment a request was due."""

    p50: float
    p99: float
    first_byte_p50: float
    lost: int


def closed_loop(running: Running, folder: Path, *, seconds: int) -> Throughput:
    """Run wrk for `seconds`; anything but 200 counts as an error."""
    script = folder / "request.lua"
    headers = "".join(f"wrk.headers[{json.dumps(k)}]={json.dumps(v)}\n" for k, v in running.headers.items())
    body = running.body().decode()
    script.write_text(f'wrk.method="POST"\nwrk.body=[==[{body}]==]\n{headers}')
    before = running.cpu_seconds()
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script)]
    text = subprocess.run([*command, running.url], check=True, capture_output=True, text=True, timeout=60).stdout
    used = running.cpu_seconds() - before
    count = int(_number(r"(\d+) requests in", text))
    errors = int(_number(r"Non-2xx or 3xx responses: (\d+)", text, default=0))
    return Throughput(
        requests_per_second=_number(r"Requests/sec:\s+([\d.]+)", text),
        cpu_us_per_request=used / max(count, 1) * 1e6,
        errors=errors,
    )


def open_loop(running: Running, folder: Path, generator: Path, *, rate: int, seconds: int) -> Latency:
    """Send `rate` requests a second for `seconds`."""
    body = folder / "body.json"
    body.write_bytes(running.body())
    headers = [word for k, v in running.headers.items() for word in ("-header", f"{k}: {v}")]
    command = ["taskset", "-c", LOAD_CORE, str(generator), "-url", running.url, "-rate", str(rate)]
    command += ["-seconds", str(seconds), "-body", str(body), *headers]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=90).stdout)
    return Latency(
        p50=answer["whole_ms"]["p50"],
        p99=answer["whole_ms"]["p99"],
        first_byte_p50=answer["first_byte_ms"]["p50"],
        lost=answer["sent"] - answer["ok"],
    )


def _number(pattern: str, text: str, default: float | None = None) -> float:
    found = re.search(pattern, text)
    if found:
        return float(found.group(1))
    if default is None:
        raise ValueError(f"wrk printed no {pattern}: {text}")
    return default
