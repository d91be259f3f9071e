"""What a gateway shows, as Envoy 1.40 wrote it."""

import asyncio
from dataclasses import replace

import structlog

from fairlead.errors import EnvoyError
from fairlead.health.attempts import BROKEN
from fairlead.health.counted import RouteCounts
from fairlead.runtime import readings
from fairlead.runtime.readings import GatewayPlace
from fairlead.runtime.unread import Unread
from served_targets import gateways, target

PLACE = GatewayPlace(name="eu-1", region="eu", address="127.0.0.1:9101")
TEXT = """\
# TYPE envoy_fairlead_attempt_total counter
envoy_fairlead_attempt_total{arm="@team/chat/0",target="p/e/m-1.5",code="0",flags="UF"} 12
envoy_fairlead_attempt_total{arm="@team/other/0",target="p/e/m-1.5",code="0",flags="UF"} 3
envoy_fairlead_attempt_total{arm="@team/other/0",target="p/e/m-1.5",code="200",flags="-"} 2
envoy_fairlead_attempt_total{arm="@team/other/0",target="gone/e/m",code="200",flags="-"} 2
envoy_fairlead_attempt_total{arm="@team/other/0",target="p/e/m-1.5",code="-",flags="-"} 2
envoy_fairlead_attempt_total{broken
envoy_fairlead_attempt_broken{arm="@team/other/0",target="p/e/m-1.5"} 1
envoy_fairlead_attempt_broken{arm="@team/other/0",target="gone/e/m"} 1
envoy_fairlead_attempt_first_byte_ms_bucket{arm="@team/chat/0",target="p/e/m-1.5",le="5"} 0
envoy_fairlead_attempt_first_byte_ms_bucket{arm="@team/chat/0",target="p/e/m-1.5",le="10"} 2
envoy_fairlead_attempt_first_byte_ms_bucket{arm="@team/chat/0",target="p/e/m-1.5",le="120000"} 3
envoy_fairlead_attempt_first_byte_ms_bucket{arm="@team/chat/0",target="p/e/m-1.5",le="+Inf"} 4
envoy_fairlead_attempt_first_byte_ms_bucket{arm="@team/other/0",target="p/e/m-1.5",le="10"} 1
envoy_fairlead_attempt_first_byte_ms_bucket{arm="@team/other/0",target="p/e/m-1.5",le="120000"} 1
envoy_fairlead_attempt_first_byte_ms_bucket{arm="@team/other/0",target="p/e/m-1.5",le="+Inf"} 1
envoy_fairlead_attempt_first_byte_ms_bucket{arm="@team/other/0",target="gone/e/m",le="+Inf"} 1
envoy_fairlead_attempt_first_byte_ms_bucket{arm="@team/other/0",target="q/e/m",le="5"} 0
envoy_fairlead_attempt_first_byte_ms_sum{arm="@team/chat/0",target="p/e/m-1.5"} 20
envoy_cluster_membership_total{envoy_cluster_name="!budget"} 0
envoy_cluster_membership_total{envoy_cluster_name="@team/chat/0"} 0
envoy_cluster_membership_total{envoy_cluster_name="p/e/m-1~5"} 1
envoy_cluster_membership_total{envoy_cluster_name="q/e/m"} 0
envoy_cluster_outlier_detection_ejections_active{envoy_cluster_name="p/e/m-1~5"} 1
envoy_cluster_outlier_detection_ejections_active{envoy_cluster_name="q/e/m"} 0
"""
TARGETS = (target("p/e/m-1.5"), target("q/e/m"))
SAVED = {"prompt": 70, "completion": 8, "cached": 9}


def test_attempts_are_summed_over_arms_and_clusters_are_targets() -> None:
    read = readings.reading(TEXT, PLACE, TARGETS)
    assert read.totals == {"p/e/m-1.5": {(0, "UF"): 15, (200, "-"): 2, BROKEN: 1}}
    assert read.first_bytes == {"p/e/m-1.5": {10: 3, 120_000: 2}}, "what is above all bounds counts at the last"
    assert (read.ejected, read.nameless) == ({"p/e/m-1.5"}, {"q/e/m"})
    assert (read.gateway, read.region) == ("eu-1", "eu")


def test_classifiers_and_kept_answers_are_counted_by_route() -> None:
    text = """\
envoy_fairlead_classified_requests{route="team/chat",category="code",reason="asked"} 3
envoy_fairlead_classified_requests{route="team/chat",category="simple",reason="asked"} 4
envoy_fairlead_classified_requests{route="team/chat",category="none",reason="open"} 5
envoy_fairlead_cache_requests{route="team/kept",outcome="hit"} 6
envoy_fairlead_cache_prompt_tokens{route="team/kept",target="p/e/m"} 70
envoy_fairlead_cache_completion_tokens{route="team/kept",target="p/e/m"} 8
envoy_fairlead_cache_cached_tokens{route="team/kept",target="p/e/m"} 9
"""
    assert readings.reading(text, PLACE, TARGETS).counts == RouteCounts(
        classified={("team/chat", "asked"): 7, ("team/chat", "open"): 5},
        cached={("team/kept", "hit"): 6},
        saved={("team/kept", "p/e/m", kind): count for kind, count in SAVED.items()},
    )


def test_what_it_had_no_room_for_is_counted_for_its_data_listener_alone() -> None:
    text = """\
envoy_http_downstream_rq_overload_close{envoy_http_conn_manager_prefix="fairlead"} 3
envoy_http_downstream_rq_overload_close{envoy_http_conn_manager_prefix="metrics"} 50
envoy_http_adaptive_concurrency_gradient_controller_rq_blocked{envoy_http_conn_manager_prefix="fairlead"} 20
envoy_listener_downstream_global_cx_overflow{envoy_listener_address="0.0.0.0_8080"} 100
"""
    assert readings.reading(text, PLACE, TARGETS).refused == 123
    assert readings.reading(TEXT, PLACE, TARGETS).refused == 0


def test_a_full_bulkhead_is_no_failure_of_its_provider() -> None:
    form = 'envoy_fairlead_attempt_total{arm="@team/chat/0",target="p/e/m",code="%d",flags="%s"} %d'
    text = "\n".join((form % (503, "-", 7), form % (503, "UF", 1), form % (500, "-", 2), form % (200, "-", 3)))
    bounded = replace(target("p/e/m"), max_in_flight=2)
    others = {(503, "UF"): 1, (500, "-"): 2, (200, "-"): 3}
    assert readings.reading(text, PLACE, [bounded]).totals == {"p/e/m": others}
    assert readings.reading(text, PLACE, [target("p/e/m")]).totals == {"p/e/m": {**others, (503, "-"): 7}}


def test_a_gateway_that_does_not_answer_is_no_reading() -> None:
    class Metrics:
        async def read(self, address: str, *, only: str) -> str:
            assert only
            if address.endswith(":1"):
                raise EnvoyError("nobody")
            return TEXT

    places = [PLACE, GatewayPlace(name="eu-2", region="eu", address="127.0.0.1:1")]
    places.append(GatewayPlace(name="us", region="us", address="127.0.0.1:2"))
    found = asyncio.run(readings.read_all(Metrics(), places, gateways(*TARGETS), Unread(structlog.get_logger())))
    assert [one.gateway for one in found] == ["eu-1"]
