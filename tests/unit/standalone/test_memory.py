import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairlead import envoy
from fairlead.adapters import disk
from fairlead.api.core import Redacted
from fairlead.api.meta import ObjectKey
from fairlead.runtime.snapshot import fingerprint
from fairlead.standalone import kill, memory
from fairlead.standalone.inputs import FileContent, Memory
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


WORDS = st.sampled_from(
    (
        *("objects", "files", "resources", "credentials", "key", "kind", "namespace", "name", "manifest", "metadata"),
        *("namespaces", "secrets", "fingerprints", "killed", "consumers", "labels", "fairlead.dev/kill"),
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | WORDS,
    lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
).map(lambda value: json.dumps(value).encode())


def _never(problem: str) -> None:
    raise AssertionError(problem)


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    state = StateFolder(root=tmp_path)
    region = state.region("eu")
    disk.write(region.keys / "ecds.json", envoy.api_keys([("sk-consumer", "team/agent")], None))
    disk.write(region.credentials / "provider" / "eu", b"sk-provider")
    memory.save(state, last_good={KEY: ROUTE}, files=FILES)
    return state


def test_what_was_good_is_found_again(state: StateFolder) -> None:
    assert memory.load(state, _never) == Memory(
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
    assert memory.load(StateFolder(root=tmp_path / "none"), _never) == Memory()


UNPRINTED = b'{"namespace": "n", "name": "m", "fingerprints": {"k": {}}}'
DAMAGE = (
    b"", b"{", b"null", b"[]", b"\xff", b"[" * 100_000, b"[" * 400 + b"]" * 400, b'{"objects": [{"kind": 1}]}',
    b'{"objects": 5, "files": 5, "resources": 5}',
    b'{"objects": [[]], "files": {"a": []}, "resources": [{"credentials": 5}]}',
    b'{"resources": [{"credentials": [{"key": 5}]}], "files": {"a": {"objects": [], "namespaces": 5, "secrets": []}}}',
    b'{"objects":5,"resources":5,"files":{"a":{"objects":[],"namespaces":[],"secrets":[%b]}}}' % UNPRINTED,
    b'{"objects": [{"kind": "A", "namespace": "b", "name": "c"}], "files": [], "resources": [{"credentials": [5]}]}',
)  # fmt: skip
WHERE = ("last-good.json", "sources.json", "eu/keys/ecds.json")


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", WHERE)
def test_a_damaged_file_is_absent_with_one_warning_and_the_others_count(
    state: StateFolder, damage: bytes, name: str
) -> None:
    (state.root / name).write_bytes(damage)
    warnings: list[str] = []
    found = memory.load(state, warnings.append)
    assert [name in warning for warning in warnings] == [True]
    assert (found.objects == {KEY: ROUTE}) is (name != "last-good.json")
    assert (found.files == FILES) is (name != "sources.json")


@pytest.mark.parametrize("name", [*WHERE, "eu/credentials/provider/eu"])
def test_a_folder_in_a_files_place_is_damage(state: StateFolder, name: str) -> None:
    (state.root / name).unlink()
    (state.root / name).mkdir()
    warnings: list[str] = []
    memory.load(state, warnings.append)
    assert len(warnings) == 1


@given(content=st.binary() | JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_the_files_is_a_value(state: StateFolder, content: bytes) -> None:
    for name in (*WHERE, "killed.json", "status.json"):
        (state.root / name).write_bytes(content)
    found = memory.load(state, lambda _: None)
    memory.save(state, last_good=found.objects, files=found.files)
    assert isinstance(kill.Stops(state, lambda _: None).read(), frozenset)
    kill.callers(state)
