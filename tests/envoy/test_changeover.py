"""A pod whose files a kubelet swaps all at once, or unpacks one by one, under load: changes fail nobody."""

import gzip
import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from running import CHAT, KEY, Gateway, gateway, plan, route, target

from fairlead import envoy, ir
from fairlead.adapters.unpacked import Unpacked
from fairlead.controller.changeover import LINGER_S, Changeover, Written
from fairlead.demo.provider import SimulatedProvider

pytestmark = pytest.mark.envoy

Wait = Callable[[Callable[[], Any]], Any]
ASK = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hello"}]})
CLIENTS = 2


class Mounted(Gateway):
    """Its `xds` folder is a mount: the files of a version stand in a folder of their own, `..data` leads to it."""

    _version = 0

    def write(self, files: Mapping[str, bytes]) -> None:
        super().write({path: content for path, content in files.items() if not path.startswith("xds/")})
        swapped = {path.removeprefix("xds/"): content for path, content in files.items() if path.startswith("xds/")}
        if swapped:
            self.bring(swapped)

    def bring(self, files: Mapping[str, bytes], place: str = "xds") -> None:
        """Swap all files, as a kubelet does."""
        self._version += 1
        mount = self.folder / place
        version = mount / f"..{self._version}"
        version.mkdir(parents=True)
        for name, content in files.items():
            (version / name).write_bytes(content)
            if not (mount / name).is_symlink():
                (mount / name).symlink_to(f"..data/{name}")
        beside = mount / "..data_tmp"
        beside.symlink_to(version.name)
        beside.rename(mount / "..data")


class Unpacking(Mounted):
    """The mount has gzip, and what stands in `xds` is unpacked from it."""

    def __init__(self, whole: ir.Gateway, *, concurrency: int = 1) -> None:
        super().__init__(whole, concurrency=concurrency, packed=True)

    def bring(self, files: Mapping[str, bytes], place: str = "packed") -> None:
        super().bring({f"{name}.gz": gzip.compress(content) for name, content in files.items()}, place)
        folder = self.folder / "xds"
        folder.mkdir(exist_ok=True)
        Unpacked(self.folder / place, folder).renew()

    def read(self) -> dict[str, int]:
        """How often Envoy has read each file."""
        found = self.envoy.counters("update_success")
        return {
            "clusters": found["cluster_manager.cds.update_success"],
            "listeners": found["listener_manager.lds.update_success"],
            "routes": found["http.fairlead.rds.fairlead.update_success"],
        }


@contextmanager
def load(port: int) -> Iterator[Counter[int]]:
    """Let clients ask one request after the other; count what they get."""
    ended, got = threading.Event(), Counter[int]()

    def ask() -> None:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while not ended.is_set():
            client.request("POST", CHAT, ASK, {"content-type": "application/json", "authorization": f"Bearer {KEY}"})
            answer = client.getresponse()
            answer.read()
            got[answer.status] += 1
        client.close()

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield got
    finally:
        ended.set()
        for thread in threads:
            thread.join(30)


def served(running: Gateway) -> str:
    client = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    client.request("GET", "/fairlead/ready")
    digest: str = json.loads(client.getresponse().read())["digest"]
    client.close()
    return digest


@pytest.mark.parametrize("kind", [Mounted, Unpacking])
def test_renames_and_new_providers_fail_no_request(kind: type[Mounted], wait_until: Wait) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(SimulatedProvider(models=("small",), keys=())) for _ in range(2))
        here, elsewhere = target("here/us/small", first), target("elsewhere/us/small", second)
        others = {f"team/other{number}/0": (target(f"other{number}/us/small", first),) for number in range(100)}

        def world(name: str, rung: ir.Target) -> ir.Gateway:
            chat = route(f"team/{name}", plan(f"team/{name}/0", last=rung))
            return gateway({"chat": chat}, {f"team/{name}/0": (rung,), **others})

        worlds = [world(name, rung) for rung in (here, elsewhere) for name in ("before", "after")]
        running = stack.enter_context(kind(worlds[-1], concurrency=2))
        changeover, now = Changeover(envoy.render(worlds[-1], running.layout), limit_bytes=envoy.LIMIT_BYTES), 0.0

        def bring(wanted: ir.Gateway) -> Written:
            files = envoy.render(wanted, running.layout)
            written = changeover.write(files, envoy.digest(files), now=now)
            running.write(written.files)
            wait_until(lambda: served(running) == written.digest)
            changeover.confirm([written.digest], now=now)
            return written

        got = stack.enter_context(load(running.port))
        for wanted in worlds * 3:
            before = got.total()
            while (written := bring(wanted)).again_in_s is not None:
                now += 0.0 if written.is_between else LINGER_S
            wait_until(lambda before=before: got.total() > before + 20)
        assert set(got) == {200}, got


def test_a_request_that_brings_its_body_while_its_route_is_renamed_is_answered(wait_until: Wait) -> None:
    with SimulatedProvider(models=("small",), keys=()) as provider:
        rung = target("here/us/small", provider)

        def world(name: str) -> ir.Gateway:
            return gateway(
                {"chat": route(f"team/{name}", plan(f"team/{name}/0", last=rung))}, {f"team/{name}/0": (rung,)}
            )

        with Mounted(world("before")) as running:
            files = envoy.render(world("after"), running.layout)
            changeover = Changeover(envoy.render(world("before"), running.layout), limit_bytes=envoy.LIMIT_BYTES)
            client = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
            client.putrequest("POST", CHAT)
            for name, value in (("authorization", f"Bearer {KEY}"), ("content-length", str(len(ASK)))):
                client.putheader(name, value)
            client.endheaders(ASK[:20].encode())
            for _ in range(3):
                written = changeover.write(files, envoy.digest(files), now=0.0)
                running.write(written.files)
                wait_until(lambda written=written: served(running) == written.digest)
                changeover.confirm([written.digest], now=0.0)
            assert written.again_in_s == LINGER_S
            client.send(ASK[20:].encode())
            answer = client.getresponse()
            assert (answer.status, answer.headers["x-fairlead-route"]) == (200, "team/before")
            client.close()


def test_unpacked_files_are_read_again_where_they_differ(wait_until: Wait) -> None:
    with SimulatedProvider(models=("small",), keys=()) as provider:
        rung = target("here/us/small", provider)

        def world(model: str, ladder: str) -> ir.Gateway:
            return gateway({model: route("team/chat", plan(ladder, last=rung))}, {ladder: (rung,)})

        with Unpacking(world("chat", "team/chat/0")) as running:
            assert running.read() == {"clusters": 1, "listeners": 1, "routes": 1}
            for wanted, read in (
                (world("talk", "team/chat/0"), {"clusters": 1, "listeners": 1, "routes": 2}),
                (world("talk", "team/chat/1"), {"clusters": 2, "listeners": 1, "routes": 3}),
            ):
                files = envoy.render(wanted, running.layout)
                running.write(files)
                wait_until(lambda files=files: served(running) == envoy.digest(files))
                assert running.read() == read
            assert running.ask("talk").status == 200
