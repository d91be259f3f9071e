from fairlead.api.meta import ObjectKey, ObjectMeta


def test_a_key_prints_as_a_person_would_write_it() -> None:
    assert str(ObjectKey("ModelRoute", "team-web", "chat")) == "ModelRoute team-web/chat"


def test_keys_sort_by_kind_then_namespace_then_name() -> None:
    keys = [ObjectKey("B", "a", "a"), ObjectKey("A", "b", "a"), ObjectKey("A", "a", "b")]
    assert sorted(keys) == [keys[2], keys[1], keys[0]]


def test_metadata_of_a_file_has_neither_time_nor_generation() -> None:
    meta = ObjectMeta(name="chat", namespace="team-web")
    assert (meta.labels, meta.annotations, meta.creation_timestamp, meta.generation) == ({}, {}, None, None)
