"""The request filter is one chunk of Lua, which has 200 locals at most: above that no gateway takes its listener."""

import pytest
from lupa import luajit21

from fairlead.envoy import request_filter


@pytest.mark.parametrize("checked", [True, False])
def test_the_chunk_compiles(checked: bool) -> None:
    problem = luajit21.LuaRuntime().eval("function(source) return select(2, loadstring(source)) end")
    room = "local one, two\n"  # for who comes next, and for tests that break it on purpose
    assert problem(room + request_filter.source(checked=checked)) is None
