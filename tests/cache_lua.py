"""The cache's own Lua in the LuaJIT of this process, behind a handle that is as Envoy's to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lupa import luajit21

from fairlead.envoy import cache

_HANDLE = """
local function map(values)
  return { get = function(_, name) return values[name] end, replace = function(_, name, value) values[name] = value end,
    remove = function(_, name) values[name] = nil end,
    set = function(_, space, name, value)
      values[space] = values[space] or {}
      values[space][name] = value
    end }
end
local function buffer(text)
  return {
    length = function() return #text end,
    getBytes = function(_, from, count) return text:sub(from + 1, from + count) end,
  }
end
local function handle(given)
  local headers, metadata = map(given.headers), map(given.metadata)
  return {
    headers = function() return headers end,
    streamInfo = function() return { dynamicMetadata = function() return metadata end } end,
    filterContext = function() return map(given.context) end,
    timestamp = function() return tostring(given.now) end,
    body = function() return buffer(given.body) end,
    bodyChunks = function()
      local at = 0
      return function()
        at = at + 1
        return given.chunks[at] and buffer(given.chunks[at])
      end
    end,
    respond = function(_, answer, text) given.answer, given.text = answer, text end,
    httpCall = function(_, cluster, headers, body, options, unawaited)
      assert(cluster == "!answers")
      local status, told, text = given.call(headers, body, unawaited == true)
      if not told then error("no such cluster") end
      told[":status"] = status
      return told, text
    end,
  }
end
return function(given) envoy_on_request(handle(given)) end, function(given) envoy_on_response(handle(given)) end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request, as the filters before have left it."""

    consumer: str
    body: bytes
    model: str = "chat"
    path: str = "/v1/chat/completions"
    stream: bool = False
    unasked: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    made_by: str = "team/chat stable d1"
    shared: bool = False
    stored: bool = False
    ttl_ms: int = 60_000


Call = Callable[[str, Mapping[str, str], bytes], tuple[int, Mapping[str, str], bytes] | None]
"""What answers the filter's calls: path, headers, body; status, headers, body, or None where there is no cluster."""


def nobody(_path: str, _headers: Mapping[str, str], _body: bytes) -> None:
    """Answer no call."""


class CacheFilter:
    """One worker's filter."""

    def __init__(
        self,
        *,
        anonymous: str = "",
        most_bytes: int = 1 << 20,
        largest: int = cache.LARGEST,
        call: Call = nobody,
    ) -> None:
        self._runtime = luajit21.LuaRuntime(encoding=None, unpack_returned_tuples=True)
        source = cache.written(most_bytes=most_bytes, largest=largest, anonymous=anonymous, headers=cache.HEADERS)
        self._request, self._response = self._runtime.execute((source + _HANDLE).encode())
        self._call = call
        self.looked: str | None = None
        """Where the last one was found, of those that share their answers."""

    def ask(self, asked: Asked, *, now_ms: int, answer: bytes, usage: str | None = None) -> tuple[str, bytes]:
        """Ask; whoever is not answered by the filter gets `answer`. Returns the outcome and what was got."""
        ours = {"consumer": asked.consumer, "model": asked.model, "stream": asked.stream, "finish": "stop"}
        ours["way"] = f"m m p/e/m 2 {asked.path}"
        if asked.unasked:
            ours["unasked"] = True
        if usage is not None:
            ours["usage"] = {"report": usage}
        given = self._table(
            headers=dict(asked.headers),
            metadata={"fairlead": ours},
            context={
                "made_by": asked.made_by,
                "shared": asked.shared,
                "ttl": asked.ttl_ms,
                "makers": " m ",
                **({"stored": True} if asked.stored else {}),
            },
            now=now_ms,
            body=asked.body,
            chunks={1: answer[:1], 2: b"", 3: answer[1:]},
        )
        given[b"call"] = self._called
        self._request(given)
        looked = given[b"metadata"][b"fairlead"][b"looked"]
        self.looked = None if looked is None else looked.decode()
        outcome = given[b"metadata"][b"fairlead"][b"cache"].decode()
        if given[b"text"] is not None:
            return outcome, bytes(given[b"text"])
        given[b"headers"] = self._table(**{":status": "200", "content-type": "application/json", "x-fl-made": "m"})
        self._response(given)
        assert given[b"headers"][b"x-fairlead-cache"].decode() == outcome
        return outcome, answer

    def _called(self, headers: Any, body: bytes, _unawaited: bool) -> Any:
        sent = {name.decode(): value.decode() for name, value in headers.items()}
        answered = self._call(sent[":path"], sent, body)
        if answered is None:
            return None
        status, told, text = answered
        return str(status).encode(), self._table(**told), text

    def _table(self, **values: Any) -> Any:
        return self._runtime.table_from({_bytes(name): self._value(value) for name, value in values.items()})

    def _value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self._runtime.table_from({_bytes(name): self._value(one) for name, one in value.items()})
        return _bytes(value)


def _bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value
