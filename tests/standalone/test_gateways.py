"""One region on a real Envoy, with files that the compiler would never make."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import structlog
from running_up import Site, ask

from fairlead.adapters import certificates, installation_file
from fairlead.adapters.manifest_files import ManifestFiles
from fairlead.api.installation import AnonymousPolicy
from fairlead.envoy import Layout
from fairlead.errors import EnvoyError
from fairlead.ir import ListenAddress
from fairlead.standalone import plan, release
from fairlead.standalone.gateways import LocalGateway
from fairlead.standalone.inputs import Memory, take_in
from fairlead.standalone.release import Serving
from fairlead.standalone.state import StateFolder
from ports import free_port

pytestmark = pytest.mark.envoy
Edit = Callable[[list[dict[str, Any]]], object]


def served(site: Site) -> tuple[LocalGateway, Serving]:
    folder = StateFolder.beside(site.config).region("us-east-1")
    layout = Layout(
        xds_dir=str(folder.xds),
        keys_dir=str(folder.keys),
        credentials_dir=str(folder.credentials),
        listen=ListenAddress(address="127.0.0.1", port=site.ports[0]),
        metrics_listen=ListenAddress(address="127.0.0.1", port=free_port()),
        admin=str(folder.admin),
        access_log=str(folder.access_log),
        mounted=False,
        ca_file=str(certificates.ca_bundle({})),
    )
    installation = installation_file.read(site.config).model_copy(update={"anonymous": AnonymousPolicy.ALLOW})
    files = ManifestFiles((site.manifests,)).read()
    inputs = take_in(files, memory=Memory(), environment={}, default_namespace="fairlead")
    whole = release.make(inputs, installation, Memory(), {"us-east-1": layout})
    log = structlog.wrap_logger(None, processors=[], wrapper_class=structlog.make_filtering_bound_logger("critical"))
    region = LocalGateway(name="us-east-1", folder=folder, concurrency=1, log_level="warning", log=log)
    return region, whole.regions["us-east-1"]


def edited(serving: Serving, path: str, edit: Edit) -> Serving:
    document = json.loads(serving.files[path])
    edit(document["resources"])
    files: Mapping[str, bytes] = {**serving.files, path: json.dumps(document, separators=(",", ":")).encode()}
    return replace(serving, files=files)


def run(region: LocalGateway, act: Callable[[], Awaitable[None]], serving: Serving | None) -> None:
    async def whole() -> None:
        try:
            await region.start(serving)
            await act()
        finally:
            await region.stop()

    asyncio.run(asyncio.wait_for(whole(), 60))


async def status(site: Site) -> int:
    return (await asyncio.to_thread(ask, site.ports[0]))[0]


def misspell(resources: list[dict[str, Any]]) -> None:
    resources[0]["no_such_field"] = 1


def odd_time(resources: list[dict[str, Any]]) -> None:
    resources[0]["filter_chains"][0]["filters"][0]["typed_config"]["stream_idle_timeout"] = "-5s"


@pytest.mark.parametrize(
    ("path", "edit"),
    [
        (plan.CLUSTERS, misspell),
        (plan.LISTENERS, misspell),
        (plan.LISTENERS, odd_time),
        (plan.ROUTES, misspell),
        (plan.ROUTES, lambda resources: resources[0].update(name="other")),
    ],
)
def test_what_envoy_refuses_is_taken_back(site: Site, path: str, edit: Edit) -> None:
    region, good = served(site)
    bad = edited(good, path, edit)
    # Something else changes as well, before and after the file that is refused.
    for other in (plan.CLUSTERS, plan.ROUTES):
        if other != path:
            bad = edited(bad, other, lambda resources: resources.append(dict(resources[0], name="other")))

    async def act() -> None:
        assert await status(site) == 200
        with pytest.raises(EnvoyError, match=f"Envoy refused {path}: .*") as caught:
            await region.apply(bad)
        assert "envoy.log" not in str(caught.value), "it says what Envoy said"
        assert await status(site) == 200
        on_disk = {name: (region.folder.root / name).read_bytes() for name in good.files}
        assert on_disk == plan.stamped(good.files)
        changed = edited(good, plan.CLUSTERS, lambda resources: resources[0].update(connect_timeout="3s"))
        await region.apply(changed)
        assert await status(site) == 200
        assert region.serving is changed

    run(region, act, good)


def renamed(serving: Serving) -> Serving:
    """Let the route lead to a ladder of another name, which has taken the place of the old one."""
    files = {path: content.replace(b"@fairlead/chat", b"@fairlead/talk") for path, content in serving.files.items()}
    assert files[plan.CLUSTERS] != serving.files[plan.CLUSTERS]
    return replace(serving, files=files)


def test_a_request_that_brings_its_body_while_its_route_is_renamed_is_answered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    region, old = served(site)
    body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hello"}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n".encode()

    async def act() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.ports[0])
        writer.write(head + body[:20])
        await writer.drain()
        while not await region.in_flight():
            await asyncio.sleep(0.01)
        await region.apply(renamed(old))
        assert await status(site) == 200
        await region.tidy()
        assert b"@fairlead/chat" in (region.folder.root / plan.CLUSTERS).read_bytes()
        writer.write(body[20:])
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
        # and what is old goes
        monkeypatch.setattr(plan, "LINGER_S", -plan.LINGER_S)
        await region.apply(old)
        await region.apply(renamed(old))
        await region.tidy()
        on_disk = {name: (region.folder.root / name).read_bytes() for name in old.files}
        assert on_disk == plan.stamped(renamed(old).files)
        assert await status(site) == 200

    run(region, act, old)


def test_a_start_on_files_that_envoy_refuses_says_so(site: Site) -> None:
    region, good = served(site)

    async def act() -> None:
        pass

    with pytest.raises(EnvoyError, match=r"Envoy refused its files: .*no_such_field"):
        run(region, act, edited(good, plan.LISTENERS, misspell))


def test_a_start_without_new_files_serves_the_last_ones(site: Site) -> None:
    region, good = served(site)

    async def act() -> None:
        assert await status(site) == 200

    run(region, act, good)
    again, _ = served(site)
    run(again, act, None)


def test_a_start_without_any_files_says_so(site: Site) -> None:
    region, _ = served(site)

    async def act() -> None:
        pass

    with pytest.raises(EnvoyError, match="got no configuration that can be served"):
        run(region, act, None)
