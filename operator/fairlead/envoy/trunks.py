"""Trunks: what the many targets of one TLS address share, their name look-up and their TLS.

A target is a cluster of its own, with its own connections and breaker, and each TLS cluster of Envoy parses the CA
bundle for itself: 184 models at three addresses are 555 copies, 143 MB and two seconds of start, and 555 look-ups of
three names every five seconds. So where a catalogue crowds one address, its targets lead into an internal listener,
and one TCP proxy behind it does name and TLS for all. Connections stay the targets' own; a connection that fails there
is a reset here, which the next rung takes. It costs 14 % of a request's CPU, so few targets do without it.
"""

from collections import Counter

from fairlead.envoy import clusters, names, overload
from fairlead.envoy.protobuf import Json, extension, packed
from fairlead.ir import Gateway, Upstream

CROWD = 32
"""Targets that one TLS address has at most by themselves: each parses the CA bundle, 0.26 MB and 4 ms."""


def crowded(gateway: Gateway) -> clusters.Addresses:
    """Find the TLS addresses that so many targets share that they go through a trunk."""
    upstreams = Counter((one.upstream.host, one.upstream.port) for one in gateway.targets if one.upstream.tls)
    return frozenset(address for address, targets in upstreams.items() if targets > CROWD)


def render_clusters(crowded: clusters.Addresses) -> list[Json]:
    """Make the cluster behind each trunk. It is never ejected: that is its targets' own affair."""
    return [
        clusters.direct(names.trunk(host, port), Upstream(host=host, port=port, tls=True, base_path=""), metadata={})
        for host, port in sorted(crowded)
    ]


def render_listeners(crowded: clusters.Addresses) -> list[Json]:
    """Make the internal listener of each trunk."""
    return [_listener(names.trunk(host, port)) for host, port in sorted(crowded)]


def _listener(name: str) -> Json:
    proxy = extension(
        "tcp",
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        {"stat_prefix": "trunk", "cluster": name},
    )
    return {
        **packed("envoy.config.listener.v3.Listener"),
        "name": name,
        **overload.exempt(),
        "internal_listener": {},
        "filter_chains": [{"filters": [proxy]}],
    }
