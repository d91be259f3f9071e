"""Probes that bring the endpoint's credential: asked for by the operator, which may not read it, sent by a gateway.

`GET /fairlead/probe`, with the key of `held.mark` and the endpoint in `ENDPOINT_HEADER`, is one attempt at the
endpoint's last resort. The answer is the endpoint's own; `FLAGS_HEADER` has the number of attempts, and Envoy's
response flags: `1 -` where the endpoint answered, `0 -` where the gateway refused to ask. It is in no log, no counter
and no bill.
"""

from importlib import resources

from fairlead.envoy import budgets, logs, names, upstream_filter
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, packed
from fairlead.ir import Gateway, Protocol

PATH = "/fairlead/probe"
ENDPOINT_HEADER, FLAGS_HEADER = "x-fairlead-endpoint", "x-fairlead-flags"
SOURCE = "probe"
VERSIONS = {Protocol.ANTHROPIC: "2023-06-01"}
"""By protocol, what a request has to say in `anthropic-version`."""
_LONGEST = "60s"
"""Whoever asks gives up sooner."""


def routes(gateway: Gateway, layout: Layout) -> list[Json]:
    """Make the route; none where nobody wants such probes."""
    if not gateway.keyed_probes:
        return []
    flags = {"key": FLAGS_HEADER, "value": f"{logs.ATTEMPTS} %RESPONSE_FLAGS%"}
    return [
        {
            "name": "probe",
            "match": {"path": PATH, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
            "route": {"cluster_header": names.ladder_header(0), "timeout": _LONGEST, "auto_host_rewrite": True},
            "response_headers_to_add": [{"header": flags, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
            "typed_per_filter_config": {
                names.DIRECTORY_NAMESPACE: packed("envoy.extensions.filters.http.lua.v3.LuaPerRoute", {"name": SOURCE}),
                **budgets.off(gateway, layout),
            },
        }
    ]


def sources(gateway: Gateway) -> dict[str, Json]:
    """Make the Lua source by its name; none where there is no route."""
    if not gateway.keyed_probes:
        return {}
    text = resources.files("fairlead.envoy").joinpath("lua", "probe.lua").read_text(encoding="utf-8")
    lines = (
        f"{one.endpoint} {names.last_resort_cluster(one.endpoint)} {one.path} {VERSIONS.get(one.protocol, '-')}\n"
        for one in gateway.keyed_probes
    )
    return {SOURCE: {"inline_string": text.replace("@probes@", upstream_filter.quoted("".join(lines)))}}
