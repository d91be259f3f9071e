import json
from pathlib import Path

import pytest

from fairlead import envoy
from fairlead.adapters import disk
from fairlead.api.core import Redacted
from fairlead.api.meta import ObjectKey
from fairlead.standalone import memory
from fairlead.standalone.intake import FileContent, Memory, fingerprint
from fairlead.standalone.state import StateFolder

KEY = ObjectKey("ModelRoute", "team", "chat")
ROUTE = {"kind": "ModelRoute", "spec": {"primary": {"provider": "p"}}}
CONSUMER_KEY, CREDENTIAL = Redacted(b"sk-consumer"), Redacted(b"sk-provider")
FILES = {
    "a.yaml": FileContent(
        objects=(KEY,),
        namespaces=({"kind": "Namespace"},),
        secrets={
            ("team", "consumer"): {"apiKey": fingerprint(CONSUMER_KEY)},
            ("fairlead", "provider"): {"eu": fingerprint(CREDENTIAL), "gone": fingerprint(Redacted(b"x"))},
        },
    )
}


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    state = StateFolder(root=tmp_path)
    region = state.region("eu")
    disk.write(region.keys / "ecds.json", envoy.api_keys([("sk-consumer", "team/agent")], None))
    disk.write(region.credentials / "provider" / "eu", b"sk-provider")
    memory.save(state, last_good={KEY: ROUTE}, files=FILES)
    return state


def test_what_was_good_is_found_again(state: StateFolder) -> None:
    assert memory.load(state) == Memory(
        objects={KEY: ROUTE},
        files=FILES,
        secrets={("team", "consumer"): {"apiKey": CONSUMER_KEY}, ("fairlead", "provider"): {"eu": CREDENTIAL}},
    )


def test_no_secret_is_written(state: StateFolder) -> None:
    for path in (state.last_good, state.sources):
        assert "sk-" not in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600
    assert "secrets" not in json.loads(state.last_good.read_text())


def test_a_first_run_remembers_nothing(tmp_path: Path) -> None:
    assert memory.load(StateFolder(root=tmp_path / "none")) == Memory()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"objects": [{"kind": 1}]}', b'{"objects": 5}'])
def test_damaged_files_are_as_good_as_none(state: StateFolder, damage: bytes) -> None:
    state.last_good.write_bytes(damage)
    assert memory.load(state) == Memory()


def test_damaged_keys_are_as_good_as_none(state: StateFolder) -> None:
    (state.region("eu").keys / "ecds.json").write_bytes(b"{")
    assert memory.load(state).secrets["team", "consumer"] == {}
