"""A gateway reduced to the request filter: keys, the filter, one virtual host per route, and an echo for a provider."""

import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from fairlead.envoy import names, request_filter
from fairlead.ir import word

HTTP = "type.googleapis.com/envoy.extensions.filters.http"
KEY = "sk-alice"
KEYS = {
    KEY: "team/alice",
    "sk-expired": "team/expired",
    "sk-expiring": "team/expiring",
    "sk-picky": "team/picky",
    "sk-nothing": "team/nothing",
    "sk-gold": "team/gold",
    "sk-other": "other/bob",
    "sk-lonely": "lonely/carol",
    "sk-removed": "team/removed",
    "sk-stopped": "team/stopped",
}
"""API keys and whose they are."""

ODD = '~b: "q\\p" (1m), 100%20=ü 日本🐈|*?'
"""A model's name with everything that separates, quotes or escapes something somewhere."""

DIRECTORY = {
    "c:team/alice": "- - team|*",
    "c:team/expired": "1700000000 - team|*",
    "c:team/expiring": "4102444800 - team|*",
    "c:team/picky": "- chat,qwen/* team|*",
    "c:team/nothing": "- , team|*",
    "c:team/gold": "- - team[tier in (gold, pro)]|team|*",
    "c:team/stopped": "- - team|*",
    "s:team/stopped": "1",
    "c:other/bob": "- - *",
    "c:lonely/carol": "- - ",
    "l:team[tier in (gold, pro)]": "chat",
    "l:team": f"capped chat !eu-only vectors {word.encode(ODD)}",
    "l:*": "chat eu-only everyone qwen/q3.5 qwen/q4 spread",
    "n:team[tier in (gold, pro)]|chat": "team/gold Chat - gold-us gold-last api/us/gold",
    "n:team|capped": "team/capped Chat 2000 flash-us flash-last api/us/flash",
    "n:team|chat": "team/chat Chat - flash-us flash-last api/us/flash",
    "n:team|eu-only": "-",
    "n:team|same": "team/chat Chat - same flash-last api/us/flash",
    f"n:team|{word.encode(ODD)}": f"team/chat Chat - {word.encode(ODD)} flash-last api/us/flash",
    "n:team|vectors": "team/vectors Embedding 2000 bge-us bge-last api/us/bge",
    "n:*|chat": "shared/chat Chat - pro-us pro-last api/us/pro",
    "n:*|eu-only": "shared/chat Chat - pro-us pro-last api/us/pro",
    "n:*|everyone": "shared/chat Chat - pro-us pro-last api/us/pro",
    "n:*|qwen/q3.5": "shared/all Chat - q35-us q35-last api/us/q3.5 10000 @shared/all/qwen/q3~5",
    "n:*|qwen/q4": "shared/all Embedding - q4-us q4-last api/us/q4 10000 @shared/all/qwen/q4",
    "n:*|spread": "shared/all Chat - s-us s-last api/us/s 3334-3333-3333 @shared/all/spread",
}
"""Who calls and what they see: one consumer or name for each rule."""
ROUTES = ("team/chat", "team/capped", "team/gold", "team/vectors", "shared/chat", "shared/all")
MAPPED = "Envoy's own answer"
UNAUTHORIZED = {
    "status_code_filter": {"comparison": {"op": "EQ", "value": {"default_value": 401, "runtime_key": "fairlead.never"}}}
}
BUFFER_BYTES = 16 * 1024 * 1024


CHECK, RESERVATION = "x-check", "x-reservation"
"""Headers of answers: what the budget server would be asked, and what stands for its answer where it would not."""
SHOWN = (names.CONSUMER_KEY, names.MODEL_KEY, names.STREAM_KEY, names.WAY_KEY)


def bootstrap(
    *,
    echo_port: int,
    directory: Mapping[str, str] = DIRECTORY,
    routes: Iterable[str] = ROUTES,
    lua: str | None = None,
    access_log: str | None = None,
    undecided: str | None = None,
) -> dict[str, Any]:
    """The whole configuration. Responses of a route show the dynamic metadata as `x-metadata-<key>`.

    `undecided` is the cluster that requests without a route go to; None = they get 404, and nothing else is right.
    """
    shown = [
        {"header": {"key": f"x-metadata-{key}", "value": f"%DYNAMIC_METADATA({names.METADATA_NAMESPACE}:{key})%"}}
        for key in (*SHOWN, names.ASK_KEY, names.RULE_KEY)
    ]
    shown += [
        {"header": {"key": header, "value": f"%DYNAMIC_METADATA({place}:{key})%"}}
        for header, place, key in (
            (CHECK, names.CHECK_NAMESPACE, names.CHECK_KEY),
            (RESERVATION, names.RATE_LIMIT_FILTER, names.RESERVATION_KEY),
        )
    ]
    catch_all = {
        "name": "*",
        "domains": ["*"],
        "routes": [
            {
                "match": {"prefix": "/"},
                **(
                    {"route": {"cluster": undecided}}
                    if undecided
                    else {"direct_response": {"status": 404, "body": {"inline_string": "no route"}}}
                ),
                "metadata": {"filter_metadata": {names.DIRECTORY_NAMESPACE: dict(directory)}},
            }
        ],
    }
    hosts = [
        {
            "name": route,
            "domains": [route],
            "routes": [{"name": route, "match": {"prefix": "/"}, "route": {"cluster": "echo", "timeout": "30s"}}],
            "response_headers_to_add": [*shown, {"header": {"key": "x-route", "value": "%ROUTE_NAME%"}}],
        }
        for route in routes
    ]
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
        ".HttpConnectionManager",
        "stat_prefix": "in",
        "stream_error_on_invalid_http_message": True,
        # As the gateway has it: bodies of Envoy's own answers are replaced, those of the filter are not.
        "local_reply_config": {
            "mappers": [
                {
                    "filter": {"and_filter": {"filters": [UNAUTHORIZED, request_filter.not_answered()]}},
                    "body_format_override": {"text_format_source": {"inline_string": MAPPED}},
                }
            ]
        },
        "early_header_mutation_extensions": [
            {
                "name": "early",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3"
                    ".HeaderMutation",
                    "mutations": [
                        {"remove_on_match": {"key_matcher": {"prefix": names.HEADER_PREFIX}}},
                        {
                            "append": {
                                "header": {"key": names.ROUTE_HEADER, "value": names.NO_ROUTE},
                                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                            }
                        },
                    ],
                },
            }
        ],
        "route_config": {"name": "r", "vhost_header": names.ROUTE_HEADER, "virtual_hosts": [catch_all, *hosts]},
        "http_filters": [
            {
                "name": names.API_KEY_FILTER,
                "typed_config": {
                    "@type": f"{HTTP}.api_key_auth.v3.ApiKeyAuth",
                    "credentials": [{"key": key, "client": consumer} for key, consumer in KEYS.items()],
                    "key_sources": [{"header": "Authorization"}],
                    "forwarding": {"header": names.CONSUMER_HEADER, "hide_credentials": True},
                },
            },
            {
                "name": "envoy.filters.http.lua",
                "typed_config": {
                    "@type": f"{HTTP}.lua.v3.Lua",
                    "default_source_code": {"inline_string": request_filter.source() if lua is None else lua},
                },
            },
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{HTTP}.router.v3.Router"}},
        ],
    }
    if access_log:
        manager["access_log"] = [
            {
                "name": "file",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                    "path": access_log,
                    "log_format": {
                        "json_format": {
                            "status": "%RESPONSE_CODE%",
                            **{
                                key: f"%DYNAMIC_METADATA({names.METADATA_NAMESPACE}:{key})%"
                                for key in (*SHOWN, names.ERROR_KEY)
                            },
                        }
                    },
                },
            }
        ]
    return {
        "static_resources": {
            "listeners": [
                {
                    "name": "in",
                    "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
                    "per_connection_buffer_limit_bytes": BUFFER_BYTES,
                    "filter_chains": [
                        {
                            "filters": [
                                {
                                    "name": "envoy.filters.network.http_connection_manager",
                                    "typed_config": manager,
                                }
                            ]
                        }
                    ],
                }
            ],
            "clusters": [
                {
                    "name": "echo",
                    "per_connection_buffer_limit_bytes": BUFFER_BYTES,
                    "load_assignment": {
                        "cluster_name": "echo",
                        "endpoints": [
                            {
                                "lb_endpoints": [
                                    {
                                        "endpoint": {
                                            "address": {
                                                "socket_address": {"address": "127.0.0.1", "port_value": echo_port}
                                            }
                                        }
                                    }
                                ]
                            }
                        ],
                    },
                }
            ],
        }
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def forwarded(self) -> bytes:
        """The body that the provider got."""
        assert self.status == 200, self.body
        return self.body.partition(b"\r\n\r\n")[2]

    @property
    def head(self) -> dict[str, str]:
        """The headers that the provider got."""
        lines = self.body.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        return dict(line.split(": ", 1) for line in lines)

    @property
    def metadata(self) -> dict[str, str]:
        """The dynamic metadata of a request that went on."""
        return {key: self.headers.get(f"x-metadata-{key}", "") for key in SHOWN}

    @property
    def ask(self) -> str:
        """What bounds the cost of the request, where budgets are on."""
        return self.headers.get(f"x-metadata-{names.ASK_KEY}", "")

    @property
    def error(self) -> dict[str, Any]:
        """OpenAI's error object."""
        assert self.headers.get("content-type") == "application/json", self.body
        answer = json.loads(self.body)
        assert set(answer) == {"error"}
        assert set(answer["error"]) == {"message", "type", "param", "code"}
        return dict(answer["error"])


class Client:
    """One kept connection."""

    def __init__(self, port: int, *, key: str = KEY) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._key = key

    def post(
        self, body: Any, path: str = "/v1/chat/completions", *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return self.send("POST", path, body, headers=headers)

    def get(self, path: str) -> Answer:
        return self.send("GET", path, None)

    def send(
        self,
        method: str,
        path: str,
        body: Any,
        *,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = "application/json",
    ) -> Answer:
        """Send one request. A body that is an iterable of bytes goes out in chunks."""
        if isinstance(body, str):
            body = body.encode()
        stated = {} if content_type is None else {"Content-Type": content_type}
        extra = {"Authorization": f"Bearer {self._key}", **stated, **(headers or {})}
        self._connection.request(method, path, body, extra)
        response = self._connection.getresponse()
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=response.read(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
