"""IR to Envoy's files, one module per Envoy resource; the filters stand in one ordered list.

Knows the IR only. Every result is plain JSON-able data, sorted and byte-stable.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any

from fairlead.envoy import (
    bootstrap,
    budgets,
    cascades,
    classifiers,
    clusters,
    filters,
    held,
    hops,
    keys,
    listener,
    names,
    recorder,
    resources,
    routes,
    trunks,
)
from fairlead.envoy.keys import unusable as unusable_key
from fairlead.envoy.layout import BudgetServer, Drain, Layout
from fairlead.envoy.protobuf import packed, text, with_texts
from fairlead.errors import TooLargeError
from fairlead.ir import Gateway, Ladder
from fairlead.memo import Memo

__all__ = [
    "BudgetServer",
    "Drain",
    "Layout",
    "api_keys",
    "digest",
    "fullness",
    "has_room",
    "held",
    "limit_bytes",
    "render",
    "restamp",
    "static",
    "unusable_key",
]

BOOTSTRAP = "bootstrap.json"
LISTENERS = "xds/lds.json"
CLUSTERS = "xds/cds.json"
ROUTES = "xds/rds.json"

LIMIT_BYTES = 900 * 1024
"""Of a file. Leaves 124 KiB of the ConfigMap for metadata, managed fields and the JSON of the update itself."""
PACKED_LIMIT_BYTES = 8 * LIMIT_BYTES
"""Of a file that a ConfigMap carries in gzip. What repeats shrinks to a fortieth (2,000 routes of 2.6 MB to 70 kB);
what does not shrink to an eighth is refused where it is packed."""
LOCAL_LIMIT_BYTES = 16 * LIMIT_BYTES
"""Of a file that no ConfigMap carries: room for a few thousand models, which Envoy takes seconds to load."""

_STAMP = re.compile(rb"""\{\\"digest\\":\\"([0-9a-f]{64})\\"\}""")
"""Where the routes say their digest: before anything that users wrote, and their quotes have more backslashes."""
UNSTAMPED = "0" * 64
"""The digest in the files that the digest is made from."""


def render(gateway: Gateway, layout: Layout, memo: Memo | None = None) -> dict[str, bytes]:
    """Render every file of the gateway except keys and secrets, by path relative to its folder.

    `memo` makes it faster, and changes nothing.

    Raises:
        TooLargeError: a file does not fit a ConfigMap, or is larger than any that lies on this machine should be.

    """
    memo = Memo() if memo is None else memo
    files = {
        BOOTSTRAP: _bytes(bootstrap.render(gateway, layout)),
        LISTENERS: _resources(_by_name(_listeners(gateway, layout))),
        CLUSTERS: _discovered(_clusters(gateway, layout, memo)),
        ROUTES: _discovered([routes.render(gateway, layout, memo, digest=UNSTAMPED)]),
    }
    _check_size(files, layout, region=gateway.region)
    return dict(sorted({**files, ROUTES: _stamped(files[ROUTES], UNSTAMPED, _digest(files))}.items()))


def fullness(files: Mapping[str, bytes], layout: Layout) -> tuple[int, str]:
    """Return how much the fullest file takes of what it may, in percent, rounded up, and its path."""
    path = max(files, key=lambda name: (len(files[name]), name))
    return -(-100 * len(files[path]) // limit_bytes(layout)), path


def has_room(files: Mapping[str, bytes], layout: Layout, ladders: Collection[str]) -> bool:
    """Tell whether as much as these ladders take fits beside them: those that they replace stay for a while."""
    taken = resources.size(files[CLUSTERS], {names.ladder_cluster(name) for name in ladders})
    return len(files[CLUSTERS]) + taken <= limit_bytes(layout)


def limit_bytes(layout: Layout) -> int:
    """Return how long a file may be."""
    if not layout.mounted:
        return LOCAL_LIMIT_BYTES
    return PACKED_LIMIT_BYTES if layout.packed else LIMIT_BYTES


def digest(files: Mapping[str, bytes]) -> str:
    """Return what `/fairlead/ready` answers when Envoy serves these files: a SHA-256 in hex."""
    found = _STAMP.search(files[ROUTES])
    if found is None:
        raise ValueError("got routes without `ready`, want the output of `render`")
    return found[1].decode()


def restamp(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Let the routes say the digest of these files instead of the one that they carry."""
    unstamped = _stamped(files[ROUTES], digest(files), UNSTAMPED)
    return {**files, ROUTES: _stamped(unstamped, UNSTAMPED, _digest({**files, ROUTES: unstamped}))}


def _stamped(routing: bytes, before: str, after: str) -> bytes:
    """Let routes say another digest: where they say it, and nowhere else, since users' names may be anything."""
    said = r"{\"digest\":\"%s\"}"
    return routing.replace((said % before).encode(), (said % after).encode(), 1)


def api_keys(pairs: Iterable[tuple[str, str]], anonymous: str | None, mark: str | None = None) -> bytes:
    """Render `keys/ecds.json` from (key, consumer) pairs and who callers without a key are. Keep it secret.

    `mark`: the key by which the operator asks whether a gateway has loaded this content.
    """
    auth = keys.auth(pairs, anonymous, mark)
    return _resources(
        [
            {
                **packed("envoy.config.core.v3.TypedExtensionConfig"),
                "name": names.API_KEY_FILTER,
                "typed_config": auth,
            }
        ]
    )


def static(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Put it all in one piece for `envoy --mode validate`, which does not read what a path names."""
    whole: dict[str, Any] = json.loads(files[BOOTSTRAP])
    del whole["dynamic_resources"]
    (routing,) = _unpacked(files[ROUTES])
    listeners = _unpacked(files[LISTENERS])
    for one in listeners:
        for chain in one["filter_chains"]:
            for network_filter in chain["filters"]:
                manager = network_filter["typed_config"]
                if manager.pop("rds", None):
                    manager["route_config"] = routing
                for http_filter in manager["http_filters"]:
                    if http_filter.pop("config_discovery", None):
                        http_filter["typed_config"] = keys.auth([("key", "consumer")], None)
    whole["static_resources"]["listeners"] = whole["static_resources"].get("listeners", []) + listeners
    whole["static_resources"]["clusters"] += _unpacked(files[CLUSTERS])
    return whole


def _listeners(gateway: Gateway, layout: Layout) -> list[dict[str, Any]]:
    return [
        *listener.render(gateway, layout),
        *hops.render_listeners(gateway, layout),
        *classifiers.render_listeners(
            gateway, layout, per_attempt=filters.per_attempt(gateway, layout), admission=filters.admission()
        ),
        *cascades.render_listeners(gateway, layout),
        *trunks.render_listeners(trunks.crowded(gateway)),
    ]


def _clusters(gateway: Gateway, layout: Layout, memo: Memo) -> list[str]:
    """Write all clusters, sorted by name."""
    crowded = trunks.crowded(gateway)
    made = [
        *clusters.render(gateway, crowded),
        *hops.render_clusters(gateway, crowded),
        *classifiers.render_clusters(gateway),
        *cascades.render_clusters(gateway),
        *trunks.render_clusters(crowded),
        *budgets.clusters(gateway, layout),
        *recorder.clusters(gateway, layout),
    ]
    texts = {str(one["name"]): text(one) for one in made}
    for one, attempts in clusters.ladders(gateway):
        name = "ladder", gateway.region, one.name
        write = partial(_ladder, one, attempts)
        texts[names.ladder_cluster(one.name)] = memo.of(name, (one, attempts), write)
    return [texts[name] for name in sorted(texts)]


def _ladder(ladder: Ladder, attempts: int) -> str:
    return text(clusters.ladder(ladder, attempts))


def _by_name(resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(resources, key=lambda resource: str(resource["name"]))


def _digest(files: Mapping[str, bytes]) -> str:
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(path.encode() + b"\0" + hashlib.sha256(files[path]).digest())
    return total.hexdigest()


def _unpacked(content: bytes) -> list[dict[str, Any]]:
    resources: list[dict[str, Any]] = json.loads(content)["resources"]
    for resource in resources:
        del resource["@type"]
    return resources


def _resources(resources: list[dict[str, Any]]) -> bytes:
    return _discovered(map(text, resources))


def _discovered(texts: Iterable[str]) -> bytes:
    """Put resources, each written already, into a file that Envoy reads."""
    return with_texts({}, "resources", texts).encode()


def _check_size(files: Mapping[str, bytes], layout: Layout, *, region: str) -> None:
    """Refuse files that do not fit where they go, the largest first; nothing is ever cut off.

    Raises:
        TooLargeError: names region, file, size, limit and what to do.

    """
    limit = limit_bytes(layout)
    pack = " set `gateway.configMaps: Gzip` of the chart," if layout.mounted and not layout.packed else ""
    for path in sorted(files, key=lambda name: (-len(files[name]), name)):
        size = len(files[path])
        if size > limit:
            raise TooLargeError(
                f"region `{region}`: got `{path}` of {size} bytes, want at most {limit},{pack}"
                " serve fewer models or endpoints in this region (`regions`, `residency`, `models` of an endpoint)"
                " or split the catalogue over two installations"
            )


def _bytes(value: Any) -> bytes:
    return text(value).encode()
