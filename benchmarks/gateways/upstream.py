"""The static upstream that every contender proxies to: an Envoy that answers from memory."""

import json
from collections.abc import Mapping
from typing import Any

HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
USAGE = {"prompt_tokens": 180, "completion_tokens": 160, "total_tokens": 340}
CHUNKS = 100


def chat_answer() -> str:
    """Make a chat completion of about 1 KB with usage."""
    message = {"role": "assistant", "content": "All the tokens of a static answer. " * 20}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return json.dumps({**answer, "usage": USAGE})


def stream_answer() -> str:
    """Make the same as a stream: one event per token, usage in the last one."""
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas = [{**base, "choices": [{"index": 0, "delta": {"content": f" word{i}"}}]} for i in range(CHUNKS)]
    end = {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    events = [*deltas, end, {**base, "choices": [], "usage": USAGE}]
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def _http_listener(name: str, port: int, routes: list[Mapping[str, Any]]) -> dict[str, Any]:
    manager = {
        "@type": HCM,
        "stat_prefix": name,
        "route_config": {
            "name": name,
            "max_direct_response_body_size_bytes": 1 << 20,
            "virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}],
        },
        "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
    }
    return {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _constant(port: int, name: str, body: str, content_type: str) -> dict[str, Any]:
    header = {"header": {"key": "content-type", "value": content_type}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    answer = {"status": 200, "body": {"inline_string": body}}
    route = {"match": {"prefix": "/"}, "direct_response": answer, "response_headers_to_add": [header]}
    return _http_listener(name, port, [route])


def static_upstream(json_port: int, stream_port: int) -> dict[str, Any]:
    """Bootstrap of the upstream: one port answers JSON, the other a stream, whatever is asked."""
    listeners = [
        _constant(json_port, "json", chat_answer(), "application/json"),
        _constant(stream_port, "stream", stream_answer(), "text/event-stream"),
    ]
    return {"static_resources": {"listeners": listeners}}


def bare_envoy(port: int, upstream_port: int) -> dict[str, Any]:
    """Bootstrap of an Envoy that only forwards: no key, no routing by model, no log."""
    endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": upstream_port}}}
    limits = {"max_connections": 100000, "max_pending_requests": 100000, "max_requests": 100000}
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "60s"}}
    return {"static_resources": {"listeners": [_http_listener("bare", port, [route])], "clusters": [cluster]}}
