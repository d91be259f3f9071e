"""Routes of requests that go on from an answer which one endpoint keeps: it is asked, or nobody."""

from collections.abc import Iterator

from fairlead.envoy import cascades, names, retries
from fairlead.envoy.protobuf import Json, duration
from fairlead.ir import Route

PATH = "/v1/responses"


def routes(route: Route, *, idle_ms: int) -> Iterator[Json]:
    """Make them, before all others of a route; none where no answer of it can be gone on from.

    The request filter names the cluster. No copy goes to a shadow, which has no such answer, and no other route answers
    under a budget's pressure. `idle_ms` is how long a stream may be silent.
    """
    if not any(plan.pins for plan in route.plans):
        return
    timeouts = route.timeouts
    for streamed in (True, False):
        keys = (names.PINNED_KEY, *([names.STREAM_KEY] if streamed else []))
        matched = [
            {"filter": names.METADATA_NAMESPACE, "path": [{"key": key}], "value": {"bool_match": True}} for key in keys
        ]
        action: Json = {
            "cluster_header": names.ladder_header(0),
            "auto_host_rewrite": True,
            "timeout": duration(timeouts.request_ms),
            "idle_timeout": duration(idle_ms) if streamed else "0s",
            "retry_policy": retries.connecting(timeouts.first_byte_ms if streamed else timeouts.response_ms),
        }
        form: Json = {"name": route.name, "match": {"path": PATH, "dynamic_metadata": matched}, "route": action}
        yield form | (cascades.told(judged=False) if route.cascade is not None else {})
