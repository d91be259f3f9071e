"""Loads: wrk for the most a core can do, the open-loop generator for latency at a fixed rate."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gateways.contenders import LOAD_CORE, FailedError, Running

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
    text = _output([*command, running.url], timeout_s=60)
    used = running.cpu_seconds() - before
    count = int(_number(r"(\d+) requests in", text))
    if not count:
        raise FailedError(f"answered nothing within {seconds} s")
    errors = int(_number(r"Non-2xx or 3xx responses: (\d+)", text, default=0))
    return Throughput(
        requests_per_second=_number(r"Requests/sec:\s+([\d.]+)", text),
        cpu_us_per_request=used / count * 1e6,
        errors=errors,
    )


def open_loop(running: Running, folder: Path, generator: Path, *, rate: int, seconds: int) -> Latency:
    """Send `rate` requests a second for `seconds`."""
    body = folder / "body.json"
    body.write_bytes(running.body())
    headers = [word for k, v in running.headers.items() for word in ("-header", f"{k}: {v}")]
    command = ["taskset", "-c", LOAD_CORE, str(generator), "-url", running.url, "-rate", str(rate)]
    command += ["-seconds", str(seconds), "-body", str(body), *headers]
    answer = json.loads(_output(command, timeout_s=90))
    if not answer["ok"]:
        raise FailedError(f"answered none of {answer['sent']} requests at {rate}/s")
    return Latency(
        p50=answer["whole_ms"]["p50"],
        p99=answer["whole_ms"]["p99"],
        first_byte_p50=answer["first_byte_ms"]["p50"],
        lost=answer["sent"] - answer["ok"],
    )


def _output(command: list[str], *, timeout_s: float) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout_s).stdout
    except subprocess.TimeoutExpired:
        raise FailedError(f"the load did not end within {timeout_s:.0f} s") from None
    except subprocess.CalledProcessError as error:
        raise FailedError(f"the load ended with {error.returncode}: {error.stderr}") from None


def _number(pattern: str, text: str, default: float | None = None) -> float:
    found = re.search(pattern, text)
    if found:
        return float(found.group(1))
    if default is None:
        raise FailedError(f"wrk printed no {pattern}: {text}")
    return default
