"""The demo's folder: ports, keys, places, one demo at a time."""

from pathlib import Path

import pytest

from fairlead.demo.port import STEP
from fairlead.demo.scene import Scene, SceneError
from fairlead.standalone.addresses import METRICS_ABOVE


def test_writes_the_examples_with_a_new_key_each_time(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with Scene(tmp_path) as scene:
        first = scene.key
        assert not (tmp_path / "old").exists()
        assert "model: sparrow" in scene.routes.read_text()
        assert [region.name for region in scene.regions()] == ["us-east-1", "eu-west-1", "ap-southeast-1"]
    with Scene(tmp_path) as scene:
        assert scene.key.startswith("fl-")
        assert scene.key != first


def test_places_are_what_the_yaml_declares(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        places = {place.name: place for place in scene.places("cloud")}
        ports = [place.port for name in ("llama", "cloud") for place in scene.places(name)]
    assert (places["eu"].header, places["us"].header) == ("api-key", "Authorization")
    assert places["us"].models == ("open-chat", "open-code", "premium", "wren", "robin", "cuckoo")
    assert places["ap"].models == ("open-chat-ap", "open-code-ap", "wren", "robin", "cuckoo")
    assert places["ap"].key_variable == "FAIRLEAD_DEMO_CLOUD_AP"
    assert len(set(ports)) == len(ports)


def test_a_second_demo_is_refused(tmp_path: Path) -> None:
    with Scene(tmp_path), pytest.raises(SceneError, match="another demo runs here"):
        Scene(tmp_path).__enter__()


def test_no_place_is_where_a_gateway_shows_its_metrics(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        ports = {place.port for name in ("llama", "cloud") for place in scene.places(name)}
        metrics = {region.port + METRICS_ABOVE for region in scene.regions()}
    assert not ports & metrics
    # Nor after a move to other ports, which keeps the last two digits.
    assert not {port % STEP for port in ports} & {port % STEP for port in metrics}


def test_edits_one_string_by_rename_and_nothing_else(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        before = scene.routes.stat().st_ino
        scene.edit("model: wren", "model: robin")
        assert "model: robin" in scene.routes.read_text()
        assert scene.routes.stat().st_ino != before
        with pytest.raises(SceneError, match="got 0 times `model: wren`, want once"):
            scene.edit("model: wren", "model: robin")
