"""Draining a pod: a listener that answers when the gateway's last request has ended, for a preStop hook.

Envoy alone cuts streams at SIGTERM, its admin interface takes POST only, and a preStop hook of HTTP is a GET. So a Lua
filter makes the calls and waits. It stands in the bootstrap: a gateway can drain whatever its configuration is.
Seen on 1.40: a stream of six seconds ends whole, the hook is answered half a second later.
"""

import json
from importlib import resources

from fairlead.envoy import overload
from fairlead.envoy.layout import Drain
from fairlead.envoy.protobuf import Json, extension

MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_PAUSE = "pause"
_PAUSE_S = "0.5s"


def listeners(drain: Drain) -> list[Json]:
    """Make the listener of the hook, and the one that answers late and so is Lua's way to wait."""
    address = {"address": drain.listen.address, "port_value": drain.listen.port}
    lua = extension(
        "drain", "envoy.extensions.filters.http.lua.v3.Lua", {"default_source_code": {"inline_string": _source(drain)}}
    )
    fault = extension(
        "late",
        "envoy.extensions.filters.http.fault.v3.HTTPFault",
        {"delay": {"fixed_delay": _PAUSE_S, "percentage": {"numerator": 100}}},
    )
    return [
        {
            "name": "drain",
            **overload.exempt(),
            "address": {"socket_address": address},
            "filter_chains": [{"filters": [_manager("drain", lua, status=404)]}],
        },
        {
            "name": _PAUSE,
            **overload.exempt(),
            "internal_listener": {},
            "filter_chains": [{"filters": [_manager(_PAUSE, fault, status=200)]}],
        },
    ]


def clusters() -> list[Json]:
    """Make the cluster that leads to the late answer; the one of the admin interface is there already."""
    endpoint = {"endpoint": {"address": {"envoy_internal_address": {"server_listener_name": _PAUSE}}}}
    raw = extension("raw", "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer")
    return [
        {
            "name": _PAUSE,
            "load_assignment": {"cluster_name": _PAUSE, "endpoints": [{"lb_endpoints": [endpoint]}]},
            "transport_socket": extension(
                "internal",
                "envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport",
                {"transport_socket": raw},
            ),
        }
    ]


def _source(drain: Drain) -> str:
    text = resources.files("fairlead.envoy").joinpath("lua", "drain.lua").read_text(encoding="utf-8")
    return f"local DRAIN_PATH = os.getenv({json.dumps(drain.path_variable)})\n{text}"


def _manager(name: str, first: Json, *, status: int) -> Json:
    """Make a connection manager with one filter, whose every other answer is `status`. It never gives up waiting."""
    router = extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router")
    route = {"match": {"prefix": "/"}, "direct_response": {"status": status}}
    return extension(
        "http",
        MANAGER,
        {
            "stat_prefix": name,
            "stream_idle_timeout": "0s",
            "route_config": {
                "name": name,
                "virtual_hosts": [{"name": name, "domains": ["*"], "routes": [route]}],
            },
            "http_filters": [first, router],
        },
    )
