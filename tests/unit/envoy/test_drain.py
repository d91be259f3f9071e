"""The way to drain a pod: only by its path, and the Lua text calls what the bootstrap has."""

import json
import re

from fairlead.envoy import drain, names
from fairlead.envoy.layout import Drain
from fairlead.ir import ListenAddress

WAY = Drain(listen=ListenAddress(address="127.0.0.1", port=9091), path_variable="DRAIN_PATH")


def test_the_lua_text_asks_the_environment_for_the_path_and_holds_nothing_of_the_pod() -> None:
    text = json.dumps(drain.listeners(WAY))
    assert text.count("os.getenv") == 1
    assert "/drain" not in text


def test_every_cluster_that_lua_calls_is_in_the_bootstrap() -> None:
    (hook, _) = drain.listeners(WAY)
    called = set(re.findall(r'httpCall\(\\?"(\w+)', json.dumps(hook)))
    assert called == {names.ADMIN_CLUSTER, *(cluster["name"] for cluster in drain.clusters())}
