"""Answers that a provider keeps, and requests that go on from one: `previous_response_id` of `/v1/responses`.

**On the way back** a filter puts another id in the place of the provider's, in answers of providers that say by which
secrets ids are signed (`ir.Signer`): it carries the target and the provider's id, under a MAC that binds both to the
consumer who got them (`lua/response_ids/ids.lua`). **On the way in** the request filter takes such an id apart
(`lua/request/previous.lua`), puts the provider's in its place, and leads the request to the last resort of that
endpoint alone. Whatever a gateway must know stands in the id and in the configuration, so that each gateway of each
region that mounts the secret can go on, also after a restart.
"""

from fairlead.envoy import chunk, matching, names
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, extension
from fairlead.ir import Gateway

IDS = ("sha256", "ids")
"""The files of `lua/response_ids/` that the request filter has, too."""
_CREDENTIALS = "@credentials_dir@"


def located(source: str, layout: Layout) -> str:
    """Write into a source where the secrets are mounted."""
    quoted = layout.credentials_dir.replace("\\", "\\\\").replace('"', '\\"')
    return source.replace(_CREDENTIALS, quoted)


def source() -> str:
    """Read the Lua source of the filter of answers, one chunk of all parts: code, not input."""
    parts = (
        chunk.parts("response_ids", ("names", *IDS)),
        chunk.parts("messages", ("spans",)),
        chunk.parts("response_ids", ("answer", "stream", "filter")),
    )
    return "\n".join(parts)


def signers(gateway: Gateway) -> str:
    """Spell whose ids are signed, and by what, for the directory; empty = nobody's."""
    return " ".join(",".join((one.provider, *one.files)) for one in gateway.signers or ())


def filters(gateway: Gateway, layout: Layout) -> list[Json]:
    """Make the filter of answers, where some provider's are signed; requests to other paths pass it by."""
    if not gateway.signers:
        return []
    lua = {"default_source_code": {"inline_string": located(source(), layout)}}
    made = extension("signed", "envoy.extensions.filters.http.lua.v3.Lua", lua)
    return [matching.only(names.SIGNED_FILTER, made, ":path", {"prefix": "/v1/responses"}, label="path")]
