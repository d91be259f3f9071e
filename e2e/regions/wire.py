"""What lies between the regions: takes packets from one, delays them, hands them to another, or drops them.

A process of its own: `wire.py '[{"fd": 5, "address": "10.77.1.1", "ms": 2.5}, ...]'`. Each entry is a TUN device and
half of what its region's link adds to a round trip. A line of input is a JSON list of pairs of addresses that are cut.
"""

import heapq
import json
import os
import select
import sys
import time
from dataclasses import dataclass
from itertools import count
from typing import Any

PACKET = 65_535
SOURCE, DESTINATION, HEADER = slice(12, 16), slice(16, 20), 20
LONGEST_QUEUE = 10_000
"""Packets under way; more are dropped, as on a real wire."""


@dataclass(frozen=True, slots=True)
class Link:
    """A region's end of the wire."""

    fd: int
    delay_s: float


class Wire:
    """All links. Runs until its input ends."""

    def __init__(self, links: list[dict[str, Any]]) -> None:
        self._links = {_packed(one["address"]): Link(one["fd"], one["ms"] / 1000) for one in links}
        self._delays = {link.fd: link.delay_s for link in self._links.values()}
        self._cut: set[frozenset[bytes]] = set()
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._numbers = count()

    def run(self) -> None:
        commands = sys.stdin.fileno()
        for fd in self._delays:
            os.set_blocking(fd, False)
        while True:
            first = self._under_way[0][0] - time.monotonic() if self._under_way else None
            readable, _, _ = select.select(
                [commands, *self._delays], [], [], None if first is None else max(0.0, first)
            )
            for fd in readable:
                if fd != commands:
                    self._take(fd)
                elif not self._obey():
                    return
            self._deliver()

    def _obey(self) -> bool:
        line = sys.stdin.readline()
        if line:
            self._cut = {frozenset(_packed(end) for end in pair) for pair in json.loads(line)}
            sys.stdout.write("\n")
            sys.stdout.flush()
        return bool(line)

    def _take(self, fd: int) -> None:
        try:
            packet = os.read(fd, PACKET)
        except BlockingIOError:
            return
        to = self._links.get(packet[DESTINATION])
        if len(packet) < HEADER or packet[0] >> 4 != 4 or to is None or len(self._under_way) >= LONGEST_QUEUE:
            return
        if frozenset((packet[SOURCE], packet[DESTINATION])) in self._cut:
            return
        due = time.monotonic() + self._delays[fd] + to.delay_s
        heapq.heappush(self._under_way, (due, next(self._numbers), to.fd, packet))

    def _deliver(self) -> None:
        now = time.monotonic()
        while self._under_way and self._under_way[0][0] <= now:
            _, _, fd, packet = heapq.heappop(self._under_way)
            try:
                os.write(fd, packet)
            except OSError:  # the device is gone or full: a lost packet
                continue


def _packed(address: str) -> bytes:
    return bytes(int(part) for part in address.split("."))


if __name__ == "__main__":
    Wire(json.loads(sys.argv[1])).run()
