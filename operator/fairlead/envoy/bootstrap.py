"""The bootstrap: all that Envoy reads once, at start."""

from fairlead.envoy import drain, names, overload, telemetry
from fairlead.envoy.layout import Layout
from fairlead.envoy.protobuf import Json, extension, file_source
from fairlead.ir import Gateway, ListenAddress

RUNTIME: Json = {
    # Without it the values of budget checks and reports are sent as written, formats and all.
    "envoy.reloadable_features.enable_formatter_for_ratelimit_action_descriptor_value": True,
    # A dead rung is skipped: by default (50 %) an ejected host of a small cluster is still called.
    "upstream.healthy_panic_threshold": 0,
    # A cluster of one host is never ejected without it.
    "outlier_detection.max_ejection_percent": 100,
    "outlier_detection.interval_ms": 1000,
    # Besides failures in a row: 20 % of at least 20 requests within an interval.
    "outlier_detection.enforcing_failure_percentage": 100,
    "outlier_detection.failure_percentage_threshold": 20,
    "outlier_detection.failure_percentage_minimum_hosts": 1,
    "outlier_detection.failure_percentage_request_volume": 20,
    # Instructions of a regular expression: that of `allow_list` has more than the 100 that Envoy takes by default.
    "re2.max_program_size.error_level": 5000,
}
"""What is the same for every target. Here and not in each cluster: it saves a fifth of cds.json."""

LATENCY_BUCKETS_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000)


def render(gateway: Gateway, layout: Layout) -> Json:
    """Render the file that `envoy -c` is given."""
    admin = _admin(layout)
    return {
        "node": {"id": gateway.region, "cluster": "fairlead", "locality": {"region": gateway.region}},
        "admin": {"address": admin},
        "bootstrap_extensions": [
            extension(
                "envoy.bootstrap.internal_listener",
                "envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
            )
        ],
        "layered_runtime": {"layers": [{"name": "fairlead", "static_layer": RUNTIME}]},
        **overload.bootstrap(gateway.limits, layout),
        "deferred_stat_options": {"enable_deferred_creation_stats": True},
        "stats_config": {
            "histogram_bucket_settings": [
                {"match": {"prefix": "fairlead"}, "buckets": list(LATENCY_BUCKETS_MS)},
                *telemetry.bucket_settings(gateway),
            ]
        },
        **({"stats_sinks": sinks} if (sinks := telemetry.sinks(gateway)) else {}),
        "static_resources": _static(gateway, layout, admin),
        "dynamic_resources": {
            "lds_config": file_source(layout.xds_dir, "lds.json", mounted=layout.xds_mounted),
            "cds_config": file_source(layout.xds_dir, "cds.json", mounted=layout.xds_mounted),
        },
    }


def _static(gateway: Gateway, layout: Layout, admin: Json) -> Json:
    """Make what no file changes: Envoy's own admin interface as a cluster, and the way to drain a pod."""
    static: Json = {
        "clusters": [_admin_cluster(admin), *telemetry.clusters(gateway)],
        # Here and not in each cluster, to which a name is enough: cds.json has hundreds of them.
        "secrets": [{"name": names.TRUSTED_CA, "validation_context": {"trusted_ca": {"filename": layout.ca_file}}}],
    }
    if layout.drain is None:
        return static
    return {
        **static,
        "listeners": drain.listeners(layout.drain),
        "clusters": [*static["clusters"], *drain.clusters()],
    }


def _admin(layout: Layout) -> Json:
    if isinstance(layout.admin, ListenAddress):
        return {"socket_address": {"address": layout.admin.address, "port_value": layout.admin.port}}
    return {"pipe": {"path": layout.admin, "mode": 0o600}}


def _admin_cluster(address: Json) -> Json:
    """Envoy's own admin interface, for the metrics listener."""
    endpoint = {"endpoint": {"address": address}}
    return {
        "name": names.ADMIN_CLUSTER,
        "load_assignment": {"cluster_name": names.ADMIN_CLUSTER, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
