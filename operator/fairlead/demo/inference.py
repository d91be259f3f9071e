"""A real inference server per region: llama.cpp's own HTTP server (the `xllamacpp` wheel) in a child process.

One process serves several models, each on a port of its own. Run as `python -m fairlead.demo.inference` it reads one
line of JSON from standard input (keys never stand in process arguments), answers with its ports, and ends when its
standard input ends.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from fairlead.demo.child import Child

ADDRESS = "127.0.0.1"
CONTEXT = 8192
PARALLEL = 8
"""Requests that one server answers at the same time; more of them wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A model and where it is served."""

    name: str
    path: str
    port: int
    """0: any free port."""


class InferenceServer:
    """A region's server process, seen from its parent."""

    def __init__(self, child: Child, ports: Mapping[str, int]) -> None:
        self.child = child
        self.ports = ports

    @classmethod
    async def start(cls, region: str, models: tuple[Served, ...], *, key: str, log: Path) -> Self:
        """Start a server and wait until it listens; raise `ChildError` if it does not."""
        command = (sys.executable, "-m", "fairlead.demo.inference")
        child = await Child.start(
            f"inference server {region}", command, log=log, env=os.environ, dies_by=signal.SIGKILL
        )
        await child.send(json.dumps({"key": key, "models": [asdict(model) for model in models]}))
        return cls(child, json.loads(await child.receive()))


def serve(wanted: Mapping[str, Any]) -> tuple[list[Any], dict[str, int]]:
    """Start llama.cpp's server for every model, in this process; return the servers and their ports."""
    import xllamacpp  # type: ignore[import-untyped] # noqa: PLC0415 - no stubs; a C++ library that the parent does not need

    servers, ports = [], {}
    for model in wanted["models"]:
        params = xllamacpp.CommonParams()
        params.model.path, params.model_alias = model["path"], {model["name"]}
        params.hostnames, params.port, params.api_keys = [ADDRESS], model["port"], [wanted["key"]]
        params.n_ctx, params.n_parallel, params.cpuparams.n_threads = CONTEXT, PARALLEL, 1
        params.warmup, params.use_jinja = False, True
        server = xllamacpp.Server(params)
        servers.append(server)
        ports[model["name"]] = int(server.listening_address.rpartition(":")[2])
    return servers, ports


def main() -> None:
    """Serve until standard input ends."""
    servers, ports = serve(json.loads(sys.stdin.readline()))
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    del servers


if __name__ == "__main__":
    main()
