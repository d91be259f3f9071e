"""Who may have made a kept answer: what a route names is what its hosts, and they alone, say of themselves."""

import json
import re
from typing import Any

from builders import US, compiled, installation, model, provider, route, target
from fairlead.compiler import CompiledGateway, pod_layouts

CLUSTERS = "xds/cds.json"
CACHE = {"ttl": "10m"}


def gateway(*, most: int | None = None, **spec: Any) -> CompiledGateway:
    """Two routes with a model in common; `spec` is of the first one."""
    fields = {} if most is None else {"circuitBreaker": {"maxInFlight": most}}
    made = compiled(
        provider("p", models=[model("small"), model("large"), model("other")], **fields),
        route("chat", target("p", "small"), fallbacks=[target("p", "large")], **spec),
        route("plain", target("p", "small"), fallbacks=[target("p", "other")]),
        layouts=pod_layouts(installation(), None),
    )
    return made.gateways[US]


def made_by(found: CompiledGateway) -> dict[str, str]:
    """Read what hosts say, by their clusters."""
    return {
        cluster["name"]: endpoint["metadata"]["filter_metadata"]["fairlead"]["made"]
        for cluster in json.loads(found.files[CLUSTERS])["resources"]
        for place in cluster.get("load_assignment", {}).get("endpoints", ())
        for endpoint in place["lb_endpoints"]
        if "made" in endpoint.get("metadata", {}).get("filter_metadata", {}).get("fairlead", {})
    }


def named(found: CompiledGateway) -> list[set[str]]:
    """Read what routes name, each time that they do."""
    return [set(text.split()) for text in re.findall(r'"makers": ?"([^"]*)"', found.files["xds/rds.json"].decode())]


def test_nobody_who_keeps_no_answers_pays_for_it() -> None:
    text = b"".join(gateway(most=4, cascade={}).files.values())
    assert b'"target"' in text
    assert b'"made"' not in text
    assert b"x-fl-made" not in text


def test_a_route_names_the_hosts_of_its_own_ladder() -> None:
    found = gateway(cache=CACHE)
    hosts = made_by(found)
    assert set(hosts) == {"p/us/small", "p/us/large", "p/us!"}
    assert len({*hosts.values()}) == 3
    assert named(found) == [{*hosts.values()}]


def test_behind_a_bulkhead_the_host_says_it_and_not_its_hop() -> None:
    found = gateway(cache=CACHE, most=4)
    assert set(made_by(found)) == {"p/us/small!limited", "p/us/large!limited", "p/us!"}
    assert named(found) == [{*made_by(found).values()}]


def test_a_cascade_names_how_answers_were_judged_beside_what_streams_meet() -> None:
    found = gateway(cache=CACHE, cascade={})
    hosts = made_by(found)
    ((*words,),) = named(found)
    assert {word for word in words if "." not in word} == {*hosts.values()}
    judged = dict(word.split(".") for word in words if "." in word)
    assert set(judged) == {hosts["p/us/small"], hosts["p/us/large"]}
    assert judged[hosts["p/us/small"]].startswith("judged-")
    assert judged[hosts["p/us/large"]].startswith("unjudged-")
    other = gateway(cache=CACHE, cascade={"accept": {"minCharacters": 2}})
    assert not {word for word in words if "." in word} & named(other)[0]


def test_what_answers_do_not_depend_on_changes_no_word() -> None:
    assert made_by(gateway(cache=CACHE)) == made_by(gateway(cache={"ttl": "1h"}, timeouts={"response": "9s"}))
