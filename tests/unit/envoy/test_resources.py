"""Discovery files by their resources: what was rendered is cut where each begins, anything else is read as a whole."""

import json
from typing import Any

import pytest

from fairlead.envoy import resources
from fairlead.envoy.protobuf import text, with_texts

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
COMPOSITE = "type.googleapis.com/envoy.extensions.clusters.composite.v3.ClusterConfig"


def _cluster(name: str, *rungs: str, **fields: Any) -> dict[str, Any]:
    clusters = [{"name": rung} for rung in rungs]
    ladder = {"cluster_type": {"name": "c", "typed_config": {"@type": COMPOSITE, "clusters": clusters}}}
    return {"@type": CLUSTER, "name": name, **(ladder if rungs else {}), **fields}


def _file(*clusters: dict[str, Any]) -> bytes:
    return with_texts({}, "resources", map(text, clusters)).encode()


ALL = (_cluster("@a/0", "one", "two"), _cluster("one", note='a quote ", a brace }, {'), _cluster("two"))
FORMS = (_file(*ALL), json.dumps({"resources": ALL}, indent=1).encode(), json.dumps({"resources": ALL}).encode())


@pytest.mark.parametrize("content", FORMS, ids=["as rendered", "indented", "with blanks"])
def test_a_file_is_read_alike_however_it_is_written(content: bytes) -> None:
    assert resources.names(content) == {"@a/0", "one", "two"}
    assert resources.ladders(content) == {"@a/0": ("one", "two")}
    assert resources.size(content, {"two"}) == len(f"[{text(_cluster('two'))}]")
    more = resources.union(first=content, second=_file(_cluster("@b/0", "one"), _cluster("one", changed=True)))
    assert more == _file(ALL[0], _cluster("@b/0", "one"), *ALL[1:])


def test_text_that_looks_like_a_beginning_is_no_resource() -> None:
    mean = _cluster("mean", note=_file(_cluster("inner"), _cluster("other")).decode())
    assert resources.names(_file(mean, _cluster("two"))) == {"mean", "two"}
    nested = _cluster("nested", members=[_cluster("inner"), _cluster("other")])
    assert resources.names(_file(nested, _cluster("two"))) == {"nested", "two"}


def test_resources_of_several_types_stand_in_one_file() -> None:
    other = {"@type": "type.googleapis.com/other", "name": "x"}
    assert resources.names(_file(_cluster("one"), other, _cluster("two"))) == {"one", "two", "x"}


@pytest.mark.parametrize("content", [_file(), b'{"resources": []}'])
def test_a_file_without_resources_has_none(content: bytes) -> None:
    assert resources.names(content) == frozenset()


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"{}", b'{"resources":[{}]}', b'{"resources":[1]}', b"\xff"])
def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        resources.names(content)
