"""Whatever stands in the watched folder, or is written into a file that holds live objects: the gateways serve on."""

import os
from collections.abc import Callable

import pytest
from running_up import RunningUp, Site, ask, route

pytestmark = pytest.mark.envoy
Start = Callable[..., RunningUp]


def test_links_in_a_loop_and_pipes_end_no_gateway(site: Site, start: Start) -> None:
    up = start(site).serving()
    loop, pipe = site.manifests / "loop.yaml", site.manifests / "pipe.yaml"
    loop.symlink_to(loop.name)
    up.wait_for("refused", "loop.yaml: cannot be read: too many levels of symbolic links")
    os.mkfifo(pipe)
    up.wait_for("refused", "pipe.yaml: got a named pipe, want a file")
    site.write("more.yaml", route("more", "heron"))
    up.wait_for("accepted", "ModelRoute fairlead/more: added")
    assert ask(site.ports[0], "more")[0] == 200
    site.manifests.rename(site.root / "away")
    up.wait_for("refused", "m: got no such file or folder")
    assert ask(site.ports[0], "more")[0] == 200
    (site.root / "away").rename(site.manifests)
    up.wait_for("refused", "loop.yaml")
    loop.unlink()
    up.wait_for("mended", "loop.yaml")
    up.stop()
    again = start(site).serving()
    assert ask(site.ports[0], "more")[0] == 200, "and the pipe keeps nobody from starting"
    assert any("pipe.yaml" in event["what"] for event in again.events)


def test_an_edit_that_loses_a_routes_name_keeps_it_live(site: Site, start: Start) -> None:
    up = start(site).serving()
    path = site.manifests / "route.yaml"
    whole = path.read_text()
    for text in ("apiVersion: fairlead.dev/v1alpha1\n", "---\n", whole.replace("name: chat", "name: Chat")):
        path.write_text(text)
        up.wait_for("warning" if text == "---\n" else "refused", "route.yaml")
        assert ask(site.ports[0])[0] == 200
    path.write_text("# none any more\n")
    up.wait_for("accepted", "ModelRoute fairlead/chat: removed")
    assert ask(site.ports[0])[0] == 404
