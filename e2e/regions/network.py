"""Three regions as network namespaces of this process, and the wire between them. All of it vanishes with the process.

Kernels without `netem` are common, so latency is made by a process that hands packets from one region to another.
"""

import ctypes
import fcntl
import json
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
OWN_MOUNTS = "FAIRLEAD_OWN_MOUNTS"
"""Set by whoever runs this in a mount namespace of its own."""
WIRE = Path(__file__).with_name("wire.py")
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    name: str
    geo: str
    round_trip_ms: float
    """What its link adds to a round trip to any other region."""
    address: str

    @property
    def host(self) -> str:
        """The name of its provider: plain HTTP is for loopback and Services alone."""
        return f"model.{self.name}.svc"


REGIONS = (
    Region(name="eu-central-1", geo="eu", round_trip_ms=5, address="10.77.1.1"),
    Region(name="eu-west-1", geo="eu", round_trip_ms=40, address="10.77.2.1"),
    Region(name="us-east-1", geo="us", round_trip_ms=90, address="10.77.3.1"),
)
CENTRAL, WEST, EAST = REGIONS


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextmanager
def _staying() -> Iterator[None]:
    """Come back to the namespace of before."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        yield
    finally:
        _checked(_LIBC.setns(here, CLONE_NEWNET))
        os.close(here)


class Network:
    """The namespaces and the wire; used as a context."""

    def __init__(self) -> None:
        self._spaces: dict[Region, int] = {}
        self._devices: dict[Region, int] = {}
        self._open = ExitStack()
        self._wire: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if OWN_MOUNTS not in os.environ:
            raise RuntimeError(
                "this lays something over /etc/hosts: want `make e2e-regions`, which has mounts of its own"
            )
        for region in REGIONS:
            self._make(region)
        self._name_hosts()
        entries = [{"fd": self._devices[one], "address": one.address, "ms": one.round_trip_ms / 2} for one in REGIONS]
        self._wire = subprocess.Popen(
            [sys.executable, str(WIRE), json.dumps(entries)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=tuple(self._devices.values()),
        )
        self._open.enter_context(self._wire)
        self._open.callback(self._wire.kill)
        self.cut(())
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _make(self, region: Region) -> None:
        with _staying():
            _checked(_LIBC.unshare(CLONE_NEWNET))
            self._spaces[region] = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            device = self._devices[region] = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"wan", IFF_TUN | IFF_NO_PI))
            for words in (
                "link set lo up",
                f"address add {region.address}/32 dev wan",
                "link set wan up",
                f"route add 10.77.0.0/16 dev wan src {region.address}",
            ):
                subprocess.run(["ip", *words.split()], check=True)
        for fd in (self._spaces[region], self._devices[region]):
            self._open.callback(os.close, fd)

    def _name_hosts(self) -> None:
        """Give the regions' providers names, in this mount namespace alone."""
        lines = ["127.0.0.1 localhost", *(f"{region.address} {region.host}" for region in REGIONS)]
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write("\n".join(lines) + "\n")
        Path(file.name).chmod(0o644)
        subprocess.run(["mount", "--bind", file.name, "/etc/hosts"], check=True)
        self._open.callback(Path(file.name).unlink)
        self._open.callback(subprocess.run, ["umount", "/etc/hosts"], check=True)

    @contextmanager
    def inside(self, region: Region) -> Iterator[None]:
        """Let this thread, and what it starts, be in a region; sockets stay where they were made."""
        with _staying():
            _checked(_LIBC.setns(self._spaces[region], CLONE_NEWNET))
            yield

    def cut(self, pairs: Iterable[tuple[Region, Region]]) -> None:
        """Drop whatever goes between these regions, and between no others, from now on."""
        assert self._wire is not None
        assert self._wire.stdin is not None
        assert self._wire.stdout is not None
        self._wire.stdin.write(json.dumps([[one.address, other.address] for one, other in pairs]) + "\n")
        self._wire.stdin.flush()
        assert self._wire.stdout.readline() == "\n", "the wire has ended"

    def isolate(self, region: Region) -> None:
        """Cut a region off from all others."""
        self.cut((region, other) for other in REGIONS if other is not region)
