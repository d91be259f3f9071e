from builders import HOME, installation
from fairlead.translate.geography import Geography
from fairlead.translate.references import NAMESPACE_NAME_LABEL, References, SecretRef, Secrets


def test_secrets_know_what_exists() -> None:
    there, key, locked = (SecretRef("team", *rest) for rest in (("a", "k"), ("a", "l"), ("b", "k")))
    secrets = Secrets({there: "1", SecretRef("team", "a", "j"): "2"}, [locked, there])
    assert secrets.fingerprint(there) == "1"
    assert secrets.fingerprint(key) is None
    assert secrets.keys(key) == ("j", "k")
    assert secrets.keys(locked) == ()
    assert secrets.is_unreadable(locked)
    assert not secrets.is_unreadable(there), "what was read can be read"
    assert not secrets.is_unreadable(key)


def test_secret_ref_prints_where_and_not_what() -> None:
    assert str(SecretRef("team", "a", "k")) == "team/a[k]"


def test_every_namespace_has_its_name_as_a_label() -> None:
    references = References(
        home=HOME,
        geography=Geography(installation().regions),
        namespace_labels={"team": {"llm": "on"}},
        secrets=Secrets({}),
        home_secrets_readable=True,
        anonymous=None,
    )
    assert references.labels_of("team") == {"llm": "on", NAMESPACE_NAME_LABEL: "team"}
    assert references.labels_of("unknown") == {NAMESPACE_NAME_LABEL: "unknown"}
