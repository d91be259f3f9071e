"""What a gateway refuses so that it goes on: requests when its memory runs out, connections when there are too many.

Measured on 1.40: `docs/load.md`. Envoy asks for memory that is allocated; what the kernel counts is more: pages that
the allocator keeps, code, stacks, Lua's own memory.
"""

from dataclasses import dataclass

from fairlead.envoy import matching
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, extension
from fairlead.ir import Limits

MONITORS = "envoy.extensions.resource_monitors"
HEAP, CONNECTIONS = "envoy.resource_monitors.fixed_heap", "envoy.resource_monitors.global_downstream_max_connections"
REFRESH = "0.05s"

BESIDE_PERCENT, BESIDE_BYTES = 20, 128 << 20
"""What is no heap, of all memory: the larger one; never more than half. Workers that read a body of 16 MiB each hold
50 MiB of it in Lua."""
RELEASE_AT = 0.65
SHED_FROM, SHED_ALL_AT = 0.70, 0.80
"""Shares of the heap between which more and more requests are refused: those that were let in go on growing."""
CUT_FROM, CUT_ALL_AT = 0.70, 0.80
"""Shares between which bodies on their way over HTTP/1 are given up, each time that more of one comes."""
END_FROM, END_ALL_AT = 0.90, 1.0
"""Shares between which connections of HTTP/2 are ended, each time that more comes on one. It is the last resort, for
many streams that each hold little: Envoy ends at most fifty of a worker's streams at each look at the heap."""
RELEASED_BYTES, RELEASED_EVERY = 64 << 20, "5s"
"""How fast memory that nobody uses goes back, so that a flood leaves nothing behind."""
TRACKED_FROM_POWER = 15
"""Streams of HTTP/2 that hold less than 2^15 bytes are never ended. Those of Envoy's last class of eight are ended
first, from 2^22 bytes on, and those whose clients do not read (`STREAM_WINDOW`) long before the heap is full: at its
limit Envoy ends none any more, since it looks for some only while the share between these changes."""
CONNECTION_BYTES = 65_536
"""What is read of a connection at once, and what waits in this process for a client that reads slowly. It is
not how long a body may be: that says the route, `request_body_buffer_limit`."""
WAITING_BYTES = 65_536
"""What a connection takes whose request waits for its provider, at both ends. One that is idle takes an eighth."""
UNSENT_BYTES = 131_072
"""What the kernel may hold of answers beyond what it has sent: without it megabytes for each slow reader."""
STREAM_WINDOW, STREAMS_WINDOW = 262_144, 1 << 20
"""What a client of HTTP/2 may send unasked on one stream, and on all of a connection's. The former also waits in this
process at most for one that reads slowly."""
HEADERS_KB = 60
"""What the headers of a request may be. Over HTTP/1 Envoy says 431 to more; over HTTP/2 it ends the stream, and
the connection where a single one is above 64 KiB as it is sent. So clients are told beforehand."""
_MAX_HEADER_LIST_SIZE = 6
"""RFC 9113, 6.5.2."""
_NO_WINDOW = (1 << 31) - 1
"""RFC 9113, 6.9.1: the largest."""
_TCP, _NOT_SENT_LOW_WATER = 6, 25
"""Linux' numbers: `setsockopt(2)`, `tcp(7)`."""

COPIES_PERCENT = 175
"""What a body takes, of its size: it is kept for retries, and on its way to a provider."""


@dataclass(frozen=True, slots=True)
class _Class:
    """Bodies that are let in by their headers, before anybody sees what they take: so many at the same time."""

    name: str
    lengths: str
    """What `content-length` is, as a regular expression, whatever zeros are before it."""
    least: int
    most: int
    percent: int
    """What all of them together may take of the heap."""


SMALL = (
    _Class("10kb", "[12][0-9]{4}", 10_000, 30_000, 50),
    _Class("30kb", "[3-9][0-9]{4}", 30_000, 100_000, 50),
    _Class("100kb", "[12][0-9]{5}", 100_000, 300_000, 50),
    _Class("300kb", "[3-9][0-9]{5}", 300_000, 1_000_000, 50),
)
"""Each may take half of the heap by itself: who sends such a size fills less than where requests are refused for
memory. Where all sizes come at once, that is what refuses them."""
LARGE = (
    _Class("1mb", "1[0-9]{6}", 1_000_000, 2_000_000, 24),
    _Class("2mb", "[2-4][0-9]{6}", 2_000_000, 5_000_000, 18),
    _Class("5mb", "[5-9][0-9]{6}|[1-9][0-9]{7,}", 5_000_000, 1 << 40, 18),
)
"""All of them together are refused by their number, not for memory."""

FIRST_REQUEST_MS = 10_000
"""How long a connection may take to begin its first request; its headers may take as long again."""


def bootstrap(limits: Limits, layout: Layout) -> Json:
    """Make the parts of the bootstrap: who is watched, and what is done."""
    memory = memory_bytes(limits, layout)
    if memory is None:
        return {"overload_manager": {"refresh_interval": REFRESH, "resource_monitors": [_connections(limits, memory)]}}
    heap = heap_bytes(memory)
    return {
        "overload_manager": {
            "refresh_interval": REFRESH,
            "resource_monitors": [
                extension(HEAP, f"{MONITORS}.fixed_heap.v3.FixedHeapConfig", {"max_heap_size_bytes": heap}),
                _connections(limits, memory),
            ],
            "actions": [
                _action("shrink_heap", {"threshold": {"value": RELEASE_AT}}),
                _action("stop_accepting_requests", _between(SHED_FROM, SHED_ALL_AT)),
                # What HTTP/2 clients send only: of HTTP/1 Envoy does not know what a stream holds.
                _action("reset_high_memory_stream", _between(SHED_ALL_AT, 1.0)),
            ],
            "loadshed_points": [
                _point("http1_server_abort_dispatch", _between(CUT_FROM, CUT_ALL_AT)),
                _point("http2_server_go_away_and_close_on_dispatch", _between(END_FROM, END_ALL_AT)),
            ],
            "buffer_factory_config": {"minimum_account_to_track_power_of_two": TRACKED_FROM_POWER},
        },
        "memory_allocator_manager": {
            "soft_memory_limit_bytes": heap,
            "bytes_to_release": RELEASED_BYTES,
            "memory_release_interval": RELEASED_EVERY,
        },
    }


def memory_bytes(limits: Limits, layout: Layout) -> int | None:
    """Return how much the process may take: the smaller of what its place gives and what the installation says."""
    return min((one for one in (limits.memory_bytes, layout.memory_bytes) if one is not None), default=None)


def heap_bytes(memory: int) -> int:
    """Return how much of that may be heap."""
    return memory - min(max(memory * BESIDE_PERCENT // 100, BESIDE_BYTES), memory // 2)


def at_once(limits: Limits, layout: Layout) -> list[Json]:
    """Make filters that bound how many bodies of some size are held at the same time, one for each class.

    Envoy's own adapts to how fast answers are; with one bound above and below it only counts, and loses no count
    however a stream ends.
    """
    memory = memory_bytes(limits, layout)
    if memory is None:
        return []
    heap = heap_bytes(memory)
    return [
        _bounded(f"fairlead-bodies-{one.name}", f"0*({one.lengths})", _count(one, heap, limits))
        for one in (*SMALL, *LARGE)
        if one.least <= limits.request_bytes
    ]


def _count(one: _Class, heap: int, limits: Limits) -> int:
    body = min(one.most, limits.request_bytes) * COPIES_PERCENT // 100
    return max(1, heap * one.percent // 100 // body)


def _bounded(name: str, lengths: str, count: int) -> Json:
    counting = {
        "gradient_controller_config": {
            "concurrency_limit_params": {
                "min_concurrency_limit": count,
                "max_concurrency_limit": count,
                "concurrency_update_interval": "60s",
            },
            "min_rtt_calc_params": {"fixed_value": "60s", "min_concurrency": count},
        }
    }
    made = extension("bodies", "envoy.extensions.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency", counting)
    return matching.only(name, made, "content-length", matching.pattern(lengths), label="length")


def sized(limits: Limits) -> Json:
    """Make the filter that waits for bodies of unknown length, so that behind it all say theirs, and are counted.

    What waits here is not in Lua yet, where a body takes several times its size.
    """
    waits = extension(
        "sized", "envoy.extensions.filters.http.buffer.v3.Buffer", {"max_request_bytes": limits.request_bytes}
    )
    return matching.others("fairlead-sized", waits, "content-length", matching.pattern("[0-9]+"), label="length")


def connection(limits: Limits) -> Json:
    """Make what bounds a client's connection, whatever it sends and however slowly it reads.

    Envoy takes the larger of this and what a route says of a body: where bodies may only be shorter, they decide.
    """
    unsent = {"level": _TCP, "name": _NOT_SENT_LOW_WATER, "int_value": UNSENT_BYTES, "state": "STATE_PREBIND"}
    buffered = min(CONNECTION_BYTES, limits.request_bytes)
    return {"per_connection_buffer_limit_bytes": buffered, "socket_options": [unsent]}


def http2() -> Json:
    """Make the options of HTTP/2 that bound a client's streams, and tell it what its headers may be."""
    return {
        "initial_stream_window_size": STREAM_WINDOW,
        "initial_connection_window_size": STREAMS_WINDOW,
        "custom_settings_parameters": [{"identifier": _MAX_HEADER_LIST_SIZE, "value": HEADERS_KB << 10}],
    }


def hop_windows() -> Json:
    """Make the options of HTTP/2 on the way into a hop: what waits there of an answer whose client reads slowly.

    All streams together are not bounded: some that nobody reads would hold up all others.
    """
    return {"initial_stream_window_size": STREAM_WINDOW, "initial_connection_window_size": _NO_WINDOW}


def exempt() -> Json:
    """Make what lets a listener of our own answer whatever clients do."""
    return {"bypass_overload_manager": True, "ignore_global_conn_limit": True}


def waiting(limits: Limits) -> Json:
    """Make how long a listener waits for the first request of a connection."""
    return {
        "listener_filters": [
            # It waits for the first bytes, and so bounds connections that never send any.
            extension(
                "envoy.filters.listener.http_inspector",
                "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector",
            )
        ],
        "listener_filters_timeout": first_request(limits),
    }


def first_request(limits: Limits) -> str:
    """Return how long a request may take to begin, and its headers to come."""
    return f"{min(limits.idle_timeout_ms, FIRST_REQUEST_MS) / 1000:g}s"


def _connections(limits: Limits, memory: int | None) -> Json:
    most = limits.connections if memory is None else min(limits.connections, heap_bytes(memory) // WAITING_BYTES)
    fields = {"max_active_downstream_connections": most}
    return extension(CONNECTIONS, f"{MONITORS}.downstream_connections.v3.DownstreamConnectionsConfig", fields)


def _action(name: str, trigger: Json) -> Json:
    return {"name": f"envoy.overload_actions.{name}", "triggers": [{"name": HEAP, **trigger}]}


def _point(name: str, trigger: Json) -> Json:
    return {"name": f"envoy.load_shed_points.{name}", "triggers": [{"name": HEAP, **trigger}]}


def _between(none: float, full: float) -> Json:
    return {"scaled": {"scaling_threshold": none, "saturation_threshold": full}}
