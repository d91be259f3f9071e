"""What stands in a region's folder is written anew wherever somebody damaged it: nothing is believed, nothing ends."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from builders import endpoint, installation, manifest, provider
from fairlead.adapters.document import Document
from fairlead.adapters.manifest_files import ManifestFile
from fairlead.compiler import pod_layouts
from fairlead.errors import StateError
from fairlead.standalone import plan, release
from fairlead.standalone.gateways import LocalGateway
from fairlead.standalone.inputs import Memory, take_in
from fairlead.standalone.release import Serving
from fairlead.standalone.state import StateFolder


def _secret(name: str, namespace: str, key: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"a": key}}


def _serving() -> Serving:
    """Make what a region serves with one credential and one consumer."""
    manifests = (
        provider("p", endpoints=[endpoint("a", "us-east-1", credential={"secretName": "p", "key": "a"})]),
        manifest("ModelRoute", "chat", "team", {"primary": {"provider": "p", "model": "small"}, "residency": "Any"}),
        manifest("ModelConsumer", "agent", "team", {"keys": [{"secretName": "agent", "key": "a"}]}),
        _secret("p", "fairlead", "sk-a"),
        _secret("agent", "team", "sk-c"),
    )
    documents = tuple(Document(manifest=one, source=f"f.yaml:{line}") for line, one in enumerate(manifests, 1))
    file = ManifestFile(path="f.yaml", documents=documents, error=None)
    inputs = take_in((file,), memory=Memory(), environment={}, default_namespace="fairlead")
    layouts = pod_layouts(installation(), None)
    return release.make(inputs, installation(), Memory(), layouts).regions["us-east-1"]


SERVING = _serving()
FILES = (*SERVING.files, "keys/ecds.json", "credentials/p/a")
DAMAGE = (b"", b'{"resources": [', b"[]", b'"x"', b"{}", b"null", b"\xff\x00", b"[" * 100_000,
          b'{"resources": 5}', b'{"resources": [[]], "version_info": 5}')  # fmt: skip


@pytest.fixture
def region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalGateway:
    """Make a region whose Envoy never answers: changes are written, and waited for by nobody."""

    async def spawn(_: LocalGateway) -> None:
        pass

    monkeypatch.setattr(LocalGateway, "_spawn", spawn)
    folder = StateFolder(root=tmp_path).region("us-east-1")
    return LocalGateway(name="us-east-1", folder=folder, concurrency=1, log_level="info", log=structlog.get_logger())


def written(region: LocalGateway) -> dict[str, bytes]:
    return {name: (region.folder.root / name).read_bytes() for name in FILES}


def after(region: LocalGateway, damage: Callable[[], object], act: Callable[[], Awaitable[None]]) -> None:
    """Hold that the files are what they were when a running region was damaged and then acted."""

    async def run() -> None:
        await region.start(SERVING)
        before = written(region)
        damage()
        await act()
        assert written(region) == before

    asyncio.run(run())


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_written_anew_by_the_next_change(region: LocalGateway, name: str, damage: bytes) -> None:
    place = region.folder.root / name
    after(region, lambda: place.write_bytes(damage), lambda: region.apply(SERVING))


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_written_anew_before_an_envoy_starts_again(
    region: LocalGateway, name: str, damage: bytes
) -> None:
    place = region.folder.root / name
    after(region, lambda: place.write_bytes(damage), region.revive)


def test_a_folder_that_is_gone_is_made_anew_before_an_envoy_starts_again(region: LocalGateway) -> None:
    after(region, lambda: shutil.rmtree(region.folder.root), region.revive)


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
def test_a_start_writes_damaged_keys_anew(region: LocalGateway, damage: bytes) -> None:
    place = region.folder.keys / "ecds.json"
    place.parent.mkdir(parents=True)
    place.write_bytes(damage)
    asyncio.run(region.start(SERVING))
    assert json.loads(place.read_bytes())["resources"] == json.loads(SERVING.keys)["resources"]


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
@pytest.mark.parametrize("name", [plan.CLUSTERS, plan.LISTENERS, plan.ROUTES])
def test_damaged_files_are_none_to_start_on(region: LocalGateway, name: str, damage: bytes) -> None:
    async def run() -> None:
        await region.start(SERVING)
        (region.folder.root / name).write_bytes(damage)
        with pytest.raises(StateError, match=name):
            await region.start(None)

    asyncio.run(run())


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
def test_a_change_that_fails_goes_back_whatever_stands_in_the_files(
    region: LocalGateway, damage: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    other: Serving = replace(SERVING, files={**SERVING.files, plan.ROUTES: b'{"resources":[]}'})
    write, place = LocalGateway._walk, region.folder.root / plan.LISTENERS

    async def walk(self: LocalGateway, steps: tuple[plan.Step, ...]) -> None:
        await write(self, steps)
        monkeypatch.setattr(LocalGateway, "_walk", write)
        place.write_bytes(damage)
        raise StateError("no space")

    async def run() -> None:
        await region.start(SERVING)
        before = written(region)
        monkeypatch.setattr(LocalGateway, "_walk", walk)
        with pytest.raises(StateError, match="no space"):
            await region.apply(other)
        await region.apply(SERVING)
        assert written(region) == before

    asyncio.run(run())
