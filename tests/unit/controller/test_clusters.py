"""What `fairlead status` says of several clusters at once, from what each of them told."""

import re
from typing import Any

from fairlead.controller import clusters, overview
from fairlead.errors import ClusterError

READY = {"type": "Ready", "status": "True", "reason": "Ready", "message": ""}
NO_MODEL = {"type": "ResolvedRefs", "status": "False", "reason": "ModelNotFound", "message": "no model `x`"}


def _route(name: str, *, conditions: Any = (READY,), **first: str) -> dict[str, Any]:
    """`first`: the first rung in each region."""
    gateways = [{"region": region.replace("_", "-"), "ladder": [rung, "p/any/m"]} for region, rung in first.items()]
    return {
        "kind": "ModelRoute",
        "metadata": {"name": name, "namespace": "team-web", "generation": 1},
        "status": {"observedGeneration": 1, "conditions": [*conditions], "gateways": gateways},
    }


def _provider(**endpoint: str) -> dict[str, Any]:
    stands = {"name": "us", "region": "us-east-1", "state": "Healthy", "share": "100%", "reason": "Healthy"}
    return {
        "kind": "ModelProvider",
        "metadata": {"name": "p", "namespace": "fairlead", "generation": 1},
        "status": {"observedGeneration": 1, "conditions": [READY], "endpoints": [{**stands, **endpoint}]},
    }


def test_clusters_stand_side_by_side_and_one_that_tells_nothing_is_a_row() -> None:
    described = clusters.describe(
        {
            "us": overview.describe([_route("chat", us_east_1="p/us/m", us_west_2="p/us/m"), _provider()]),
            "silent": ClusterError("no answer within 15 s"),
            "europe": overview.describe([_route("chat", eu_west_1="p/eu/m"), _route("batch", eu_west_1="p/eu/s")]),
        }
    )
    assert clusters.lines(described) == [
        "cluster  regions               objects ready  endpoints",
        "us       us-east-1, us-west-2  2 of 2         1 well",
        "silent   tells nothing: no answer within 15 s",
        "europe   eu-west-1             2 of 2         0 well",
        "",
        "route           us      europe",
        "team-web/batch  -       p/eu/s",
        "team-web/chat   p/us/m  p/eu/m",
    ]
    assert clusters.is_wrong(described), "nobody knows how the silent one stands"
    assert [(one["context"], one["error"], "objects" in one) for one in described["clusters"]] == [
        ("us", "", True),
        ("silent", "no answer within 15 s", False),
        ("europe", "", True),
    ]


def test_what_is_wrong_is_said_of_the_cluster_where_it_is() -> None:
    described = clusters.describe(
        {
            "us": overview.describe([_route("chat", us_east_1="p/us/m", us_west_2="p/west/m"), _provider()]),
            "europe": overview.describe(
                [
                    _route("chat", conditions=[NO_MODEL]),
                    _provider(state="Down", share="0%", reason="ConnectionFailed", since="then", message="refused"),
                ]
            ),
        }
    )
    assert clusters.is_wrong(described)
    assert clusters.lines(described) == [
        "cluster  regions               objects ready  endpoints",
        "us       us-east-1, us-west-2  2 of 2         1 well",
        "europe   -                     1 of 2         1 of 1 not whole",
        "",
        "route          us                europe",
        "team-web/chat  p/us/m, p/west/m  -",
        "",
        "europe",
        "  1 of 1 endpoints have less than their traffic, or fail",
        "    p/us (us-east-1) Down, 0% since then: refused",
        "",
        "  1 of 2 objects are ready",
        "    ModelRoute team-web/chat: ResolvedRefs=False ModelNotFound: no model `x`",
    ]


def test_clusters_that_are_well_say_no_more() -> None:
    described = clusters.describe(dict.fromkeys(("a", "b"), overview.describe([_provider()])))
    assert not clusters.is_wrong(described)
    assert len(clusters.lines(described)) == 3


def test_clusters_without_an_answer_are_rows_alone() -> None:
    described = clusters.describe({"a": ClusterError("refused"), "bee": ClusterError("late")})
    assert clusters.lines(described) == [
        "cluster  regions  objects ready  endpoints",
        "a        tells nothing: refused",
        "bee      tells nothing: late",
    ]


ROLLOUT = {
    "phase": "Progressing",
    "reason": "Stepped",
    "step": 2,
    "steps": 3,
    "traffic": "10%",
    "shadow": "0%",
    "stable": "p/m",
    "candidate": "p/next",
    "message": "",
}


def _rolling(**fields: Any) -> dict[str, Any]:
    found = _route("chat", us_east_1="p/us/m")
    found["status"]["rollout"] = {**ROLLOUT, **fields}
    return overview.describe([found])


def test_each_cluster_s_own_rollout_stands_beside_the_others() -> None:
    back = {
        "phase": "RolledBack",
        "reason": "BoundBroken",
        "candidate": None,
        "refused": "p/next",
        "message": "too dear",
    }
    described = clusters.describe(
        {
            "a": _rolling(),
            "b": _rolling(step=1, traffic="0%", shadow="5%"),
            "c": _rolling(phase="Stable", reason="Promoted", candidate=None, stable="p/next"),
            "d": _rolling(**back),
        }
    )
    head, row = (re.split(" {2,}", line) for line in clusters.lines(described)[6:8])
    assert dict(zip(head, row, strict=True)) == {
        "route": "team-web/chat",
        "a": "p/us/m; Progressing (Stepped), step 2 of 3, 10% to p/next",
        "b": "p/us/m; Progressing (Stepped), step 1 of 3, 5% copied to p/next",
        "c": "p/us/m",
        "d": "p/us/m; RolledBack (BoundBroken): too dear",
    }
