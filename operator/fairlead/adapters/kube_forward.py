"""Asks ports of pods through the API server's port-forward: a right of its own, and no path into the cluster's network.

One question is one WebSocket: each of its messages begins with a channel's number, 0 for what the port says and 1 for
what went wrong, and the first message of each channel names the port.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import aiohttp
import h11
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.stream import WsApiClient

from fairlead.adapters.gateway_metrics import PATH
from fairlead.adapters.kube_client import configuration, show
from fairlead.adapters.kube_login import Login
from fairlead.errors import ClusterError, EnvoyError

_WITHIN_S = 10.0
_MOST_BYTES = 32 * 1024 * 1024
_DATA, _ERROR = 0, 1
_OK = 200


class PodMetrics:
    """`fairlead.adapters.gateway_metrics.GatewayMetrics` of pods; an address is `namespace/pod:port`."""

    def __init__(self, login: Login, api: WsApiClient) -> None:
        self._login, self._api = login, api

    async def read(self, address: str, *, only: str) -> str:
        """Return the series whose names match `only`; raises `EnvoyError`."""
        place, _, port = address.rpartition(":")
        namespace, _, pod = place.partition("/")
        try:
            async with asyncio.timeout(_WITHIN_S):
                show(self._api.configuration, await self._login.access())
                content = await self._get(namespace, pod, int(port), f"{PATH}?filter={quote(only, safe='')}")
        except (aiohttp.ClientError, ApiException, h11.RemoteProtocolError, TimeoutError, ClusterError) as error:
            raise EnvoyError(f"pod {place}: {str(error) or type(error).__name__}") from error
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise EnvoyError(f"pod {place}: got metrics that are not UTF-8, want text") from None

    async def _get(self, namespace: str, pod: str, port: int, path: str) -> bytes:
        request = await self._api.param_serialize(
            "GET",
            f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/portforward",
            query_params=[("ports", port)],
            header_params={},
            auth_settings=["BearerToken"],
        )
        connecting = await self._api.call_api(*request, _preload_content=False)
        async with connecting.response as socket:
            exchange = h11.Connection(h11.CLIENT)
            question = h11.Request(method="GET", target=path, headers=[("Host", "localhost"), ("Connection", "close")])
            sent = exchange.send(question) or b""
            await socket.send_bytes(bytes([_DATA]) + sent + (exchange.send(h11.EndOfMessage()) or b""))
            return await _answer(socket, exchange)


async def _answer(socket: aiohttp.ClientWebSocketResponse, exchange: h11.Connection) -> bytes:
    content = bytearray()
    named: set[int] = set()
    while True:
        event = exchange.next_event()
        match event:
            case h11.Response() if event.status_code != _OK:
                raise EnvoyError(f"got status {event.status_code}, want {_OK}")
            case h11.Data():
                content += event.data
                if len(content) > _MOST_BYTES:
                    raise EnvoyError(f"got more than {_MOST_BYTES} bytes of metrics, want fewer")
            case h11.EndOfMessage():
                return bytes(content)
            case h11.ConnectionClosed():
                raise EnvoyError("the connection ended before the answer was whole")
            case h11.NEED_DATA:
                await _take(socket, exchange, named)


async def _take(socket: aiohttp.ClientWebSocketResponse, exchange: h11.Connection, named: set[int]) -> None:
    """Hand on what the next message says; `named`: channels that have said their port."""
    message = await socket.receive()
    if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
        exchange.receive_data(b"")  # the end
        return
    channel, said = message.data[0], message.data[1:]
    if channel not in named:
        named.add(channel)
    elif channel == _ERROR and said:
        raise EnvoyError(said[:200].decode(errors="replace"))
    elif channel == _DATA and said:
        exchange.receive_data(said)


@asynccontextmanager
async def connect(context: str | None) -> AsyncIterator[PodMetrics]:
    """Connect as `kube_client.connect` does; raises `ClusterError`."""
    login = Login(context)
    access = await login.access()
    try:
        api = WsApiClient(configuration(access))
    except (OSError, ssl.SSLError) as error:
        raise ClusterError(f"no cluster to speak to: certificates of {access.server}: {error}") from error
    try:
        yield PodMetrics(login, api)
    finally:
        await api.close()
