"""Every name that two parts of a gateway's configuration must spell alike: headers, metadata, filters, clusters.

The Lua sources carry the same names as written; `tests/unit/envoy/test_names.py` checks that they agree.
"""

HEADER_PREFIX = "x-fl-"
"""Headers of this prefix are ours alone: stripped from what clients send, and never sent to a provider."""

ROUTE_HEADER = "x-fl-route"
"""`vhost_header` of the route configuration: the name of the route that answers, which is a virtual host's domain.

Envoy finds *no* virtual host for a request without this header, not even `*` (seen on 1.40: 404, no metadata), and it
picks the first route before the first HTTP filter runs. So an early header mutation sets it to `NO_ROUTE`.
"""
NO_ROUTE = "-"
"""`ROUTE_HEADER` before the request filter has decided: no route is called so, which leads to virtual host `*`."""

CONSUMER_HEADER = "x-fl-consumer"
"""Set by api_key_auth: `namespace/name` of the ModelConsumer. Hash key of sticky arms."""
ANONYMOUS_HEADER = "x-fl-anonymous"
"""Added to every request of an installation that lets callers without a key in; api_key_auth's last key source."""
ARMS_HEADER = "x-fl-arms"
"""Wildcard routes, plans with more than one arm: the arms' weights, `5000-5000`. See `directory.shape`."""
LADDER_HEADER_PREFIX = "x-fl-l"
"""Wildcard routes: `x-fl-l0`, `x-fl-l1`, ...: the cluster of each arm's ladder, in the order of the plan's arms."""

DIRECTORY_NAMESPACE = "envoy.filters.http.lua"
"""Where the Lua filter reads a route's metadata: in virtual host `*` the directory stands there."""

METADATA_NAMESPACE = "fairlead"
"""Dynamic metadata that `request.lua` writes, under the keys below, and host metadata of targets."""
CONSUMER_KEY = "consumer"
"""String: `namespace/name`."""
MODEL_KEY = "model"
"""String: the model name as the client sent it."""
STREAM_KEY = "stream"
"""Bool: the answer is a stream. Routes match it, because the timers differ."""
WAY_KEY = "way"
"""String: what each attempt needs of the request, `<wire id in the body> <last resort's wire id> <last resort's target>
<path as sent>`. One value, because each costs a merge. Attempts share one header map, so each starts from this."""
ERROR_KEY = "error"
"""String: the code of the error that the request filter answered with."""

API_KEY_FILTER = "fairlead-api-keys"
"""Name of the api_key_auth filter; routes disable it by this name, and its configuration arrives by ECDS."""


def cluster(name: str) -> str:
    """Spell the Envoy name of a target, ladder or last resort.

    A dot would end a part of the stat's name; `~` is in no name of the IR, so two names never meet.
    """
    return name.replace(".", "~")


def ladder_header(arm: int) -> str:
    """Name the header that names the cluster of a wildcard plan's arm, counted from 0."""
    return f"{LADDER_HEADER_PREFIX}{arm}"
