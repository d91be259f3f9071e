from fairlead.envoy import trunks

CROWDED = frozenset({("us.example.com", 443), ("10.0.0.1", 8443)})


def test_a_trunk_is_a_listener_and_a_cluster_of_one_name() -> None:
    names = ["10~0~0~1:8443!trunk", "us~example~com:443!trunk"]
    assert [one["name"] for one in trunks.render_clusters(CROWDED)] == names
    listeners = trunks.render_listeners(CROWDED)
    assert [one["name"] for one in listeners] == names
    proxies = [chain["filters"][0]["typed_config"] for one in listeners for chain in one["filter_chains"]]
    assert [proxy["cluster"] for proxy in proxies] == names


def test_the_trunk_does_the_tls_and_is_never_ejected() -> None:
    for cluster in trunks.render_clusters(CROWDED):
        assert cluster["transport_socket"]["typed_config"]["common_tls_context"]
        assert "outlier_detection" not in cluster


def test_no_crowd_no_trunk() -> None:
    assert trunks.render_clusters(frozenset()) == []
    assert trunks.render_listeners(frozenset()) == []
