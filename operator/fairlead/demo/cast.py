"""Everybody who answers: llama.cpp servers, simulated providers, `fairlead up` with its gateways."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Self

import aiohttp

from fairlead.demo.child import Child, ChildError
from fairlead.demo.inference import InferenceServer, Served
from fairlead.demo.provider import RemoteControl
from fairlead.demo.scene import Place, Region, Scene, environment
from fairlead.demo.sentence import write_model

SENTENCES = {
    "sparrow": "Hello from {region} : I am sparrow , a tiny model in real llama.cpp .",
    "heron": "Greetings from {region} : I am heron , who took over when one string changed .",
}
"""What each model says, everywhere: the answer itself tells who gave it."""
READY_TIMEOUT_S = 60
POLL_S = 0.02
TOKENS_PER_CHUNK, CHUNK_GAP_MS = 4, 20
"""Of the simulated providers: 5 ms a token, so that streams last and overlap as they do at a large model."""
COMMAND = (sys.executable, "-c", "from fairlead.cli import main; main()")
"""The `fairlead` command of this very environment."""


class Cast:
    """Starts and stops them; used as a context."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._stack = AsyncExitStack()
        self.inference: dict[str, InferenceServer] = {}
        """By region."""
        self.simulated: list[RemoteControl] = []
        """How to command the simulated providers."""
        self.up: Child | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def start(self) -> None:
        """Start all at once; return when every gateway answers."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_gateways())
            for region in self._scene.regions():
                group.create_task(self.start_inference(region.name))
            for place in self._scene.places("cloud"):
                group.create_task(self._start_simulated(place))

    async def start_inference(self, region: str) -> None:
        """Make the models of a region and start its server, on the ports that the YAML names."""
        places = [place for place in self._scene.places("llama") if place.region == region]
        served = []
        for place in places:
            (name,) = place.models
            path = self._scene.folder / f"{region}-{name}.gguf"
            write_model(path, SENTENCES[name].format(region=region))
            served.append(Served(name=name, path=str(path), port=place.port))
        key = self._scene.environment[places[0].key_variable]
        log = self._scene.folder / f"llama-{region}.log"
        server = await InferenceServer.start(region, tuple(served), key=key, log=log)
        self._stack.push_async_callback(server.child.stop)
        self.inference[region] = server

    async def _start_simulated(self, place: Place) -> None:
        options = {
            "--port": str(place.port),
            "--region": place.region,
            "--header": place.header,
            "--models": ",".join(place.models),
            "--tokens-per-chunk": str(TOKENS_PER_CHUNK),
            "--chunk-gap-ms": str(CHUNK_GAP_MS),
        }
        command = (sys.executable, "-m", "fairlead.demo.provider", *(word for pair in options.items() for word in pair))
        env = environment(self._scene) | {"SIMULATED_PROVIDER_KEYS": self._scene.environment[place.key_variable]}
        log = self._scene.folder / f"cloud-{place.region}.log"
        child = await Child.start(f"simulated provider {place.region}", command, log=log, env=env)
        self._stack.push_async_callback(child.stop)
        ready = json.loads(await child.receive())
        self.simulated.append(RemoteControl(ready["address"], ready["control_port"]))

    async def _start_gateways(self) -> None:
        scene = self._scene
        command = (*COMMAND, "up", "-f", str(scene.resources), "-c", str(scene.installation))
        env = environment(scene)
        self.up = await Child.start("fairlead up", command, log=scene.up_log, env=env, talks=False)
        self._stack.push_async_callback(self.up.stop)
        await ready(scene.regions(), key=scene.key, up=self.up)


async def ready(regions: Sequence[Region], *, key: str, up: Child) -> None:
    """Wait until every gateway lists its models; raise `ChildError` if `fairlead up` ends or a minute passes."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:
        for region in regions:
            while not await _lists_models(session, region):
                if not up.running or time.monotonic() > deadline:
                    raise ChildError(f"{up.name}: the gateway of {region.name} does not answer; {up.tail()}")
                await asyncio.sleep(POLL_S)


async def _lists_models(session: aiohttp.ClientSession, region: Region) -> bool:
    try:
        async with session.get(f"{region.base_url}/models") as answer:
            return answer.status == 200  # noqa: PLR2004 - HTTP
    except aiohttp.ClientError:
        return False


async def run(*arguments: str, env: dict[str, str]) -> tuple[int, str]:
    """Run the `fairlead` command to its end; return its exit code and all that it printed."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=env
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()
