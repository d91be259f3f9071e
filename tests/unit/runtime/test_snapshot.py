"""Values of Secrets end where the snapshot begins."""

from builders import compiled, consumer
from fairlead.api.core import Redacted
from fairlead.compiler import Manifest, SecretRef
from fairlead.runtime.snapshot import SecretValues, bound_keys, snapshot

KEY, CREDENTIAL = SecretRef("team-web", "alice", "apiKey"), SecretRef("team-web", "alice", "other")
VALUES = SecretValues(
    secrets={("team-web", "alice"): {"apiKey": Redacted(b"sk-alice"), "other": Redacted("no key é".encode())}},
    salt=b"salt",
)


def test_a_snapshot_has_no_value() -> None:
    made = snapshot([Manifest(content=consumer("alice"))], VALUES, unreadable=frozenset({SecretRef("a", "b", "c")}))
    assert set(made.secrets) == {KEY, CREDENTIAL}
    assert set(made.unusable) == {CREDENTIAL}, "a credential need not be an API key"
    for text in (repr(made), repr(VALUES)):
        assert "sk-alice" not in text
        assert "salt" not in text


def test_fingerprints_are_equal_for_equal_values_of_one_process() -> None:
    same = SecretValues(secrets={("team-web", "bob"): {"apiKey": Redacted(b"sk-alice")}}, salt=b"salt")
    other = SecretValues(secrets=VALUES.secrets, salt=b"another")
    assert same.fingerprints()[SecretRef("team-web", "bob", "apiKey")] == VALUES.fingerprints()[KEY]
    assert other.fingerprints()[KEY] != VALUES.fingerprints()[KEY]


def test_keys_that_are_not_there_open_nothing() -> None:
    found = compiled(consumer("alice"), secrets=VALUES.fingerprints())
    assert bound_keys(found, VALUES) == [("sk-alice", "team-web/alice")]
    assert bound_keys(found, SecretValues(secrets={})) == []
