import pytest

from fairlead.adapters.document import Document, DocumentError, parse


@pytest.mark.parametrize(
    ("text", "want", "why"),
    [
        ("a: 1\n---\n---\n# nothing\n---\nb: x\n", [{"a": 1}, {"b": "x"}], "empty documents are left out"),
        ("", [], "an empty file holds nothing"),
        ("t: 2026-12-31T23:59:59Z\n", [{"t": "2026-12-31T23:59:59Z"}], "dates stay strings, as for kubectl"),
        ("t: 12:30:45\n", [{"t": "12:30:45"}], "no numbers to the base of 60"),
        ("a: [yes, off, n, y]\n", [{"a": [True, False, "n", "y"]}], "YAML 1.1's booleans as kubectl reads them"),
        ("a: [5.0, 1e3, -2, 0x10, 0o17, 007]\n", [{"a": [5.0, 1e3, -2, 16, 15, 7]}], "numbers"),
        ("a: [1.2.3, 5m, 5%, v1, ~, '']\n", [{"a": ["1.2.3", "5m", "5%", "v1", None, ""]}], "not numbers"),
        (
            "a: &x {b: 1}\nc: *x\nd: {<<: *x, b: 2}\n",
            [{"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 2}}],
            "aliases, merges",
        ),
        (
            "a: &x {b: 1}\nd: {b: 2, <<: *x}\n",
            [{"a": {"b": 1}, "d": {"b": 2}}],
            "own keys beat merged ones in any order",
        ),
        (
            "a: {<<: [{b: 1, c: 1}, {b: 2, d: 2}]}\n",
            [{"a": {"b": 1, "c": 1, "d": 2}}],
            "the first of a merged list wins",
        ),
        ("\ufeffa: ü\n", [{"a": "ü"}], "a byte order mark is no key"),
    ],
)
def test_yaml_is_read(text: str, want: list[object], why: str) -> None:
    assert [document.manifest for document in parse(text, "f.yaml")] == want, why


def test_documents_know_their_first_line() -> None:
    documents = parse("# why\nkind: A\n---\n\n\nkind: B\n", "dir/f.yaml")
    assert [document.source for document in documents] == ["dir/f.yaml:2", "dir/f.yaml:6"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3: got the key `a` twice in one mapping, want it once; remove one"),
        ("x:\n  a: 1\n  'a': 3\n", "f.yaml:3: got the key `a` twice in one mapping, want it once; remove one"),
        ("a: 1\nb: [1, 2\nc: 3\n", "f.yaml:3: not YAML: did not find expected ',' or ']', column 2"),
        ("a:\n\t- 1\n", "f.yaml:2: not YAML: found character that cannot start any token, column 1"),
        ("a: *nobody\n", "f.yaml:1: not YAML: found undefined alias, column 4"),
        ("1: a\n", "f.yaml:1: got the key `1`, want a string; quote it"),
        ("on: a\n", "f.yaml:1: got the key `on`, want a string; quote it"),
        ("a: &x [*x]\n", "f.yaml:1: an alias contains itself; write the value out"),
        (
            "a: !!python/object:os.system {}\n",
            "f.yaml:1: got the tag `tag:yaml.org,2002:python/object:os.system`, want plain YAML; remove it",
        ),
        ("a: !secret x\n", "f.yaml:1: got the tag `!secret`, want plain YAML; remove it"),
        ("a: .inf\n", "f.yaml:1: got `.inf`, want a value of type float; quote it if it is text"),
        ("a: !!int x\n", "f.yaml:1: got `x`, want a value of type int; quote it if it is text"),
        ("- a\n", "f.yaml:1: got a list, want a mapping with `apiVersion` and `kind`"),
        ("hello\n", "f.yaml:1: got `hello`, want a mapping with `apiVersion` and `kind`"),
        ("a: {<<: 1}\n", "f.yaml:1: got a value that is no mapping after `<<`, want an alias of a mapping"),
        ("[" * 5000 + "]" * 5000, "f.yaml: nested too deeply"),
        ("a: \x01\n", "f.yaml: not YAML: "),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text, "f.yaml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_aliases_cannot_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(DocumentError, match="more than 2000000 values"):
        parse("\n".join(lines), "f.yaml")


def test_json_is_read() -> None:
    assert parse('\n{"a": {"b": [1, "x"]}}', "f.json") == (
        Document(manifest={"a": {"b": [1, "x"]}}, source="f.json:1"),
    )
    assert parse(" ", "f.json") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n"a": 2}', "f.json: got the key `a` twice in one mapping, want it once; remove one"),
        ('{"a": 1,\n}', "f.json:2: not JSON: "),
        ('{"a": NaN}', "f.json: got `NaN`, want a number that JSON knows"),
        ("[]", "f.json:1: got a list, want a mapping with `apiVersion` and `kind`"),
        ("[" * 100_000, "f.json: nested too deeply"),
        ('{"a": "\\ud83d"}', "f.json: got U+D83D, half a character of UTF-16, want whole ones, write both"),
        ('{"a\\udfff": [{}]}', "f.json: got U+DFFF, half a character"),
        ('{"\\ud800": 1, "\\ud800": 2}', "f.json: got the key `?` twice in one mapping"),
    ],
)
def test_what_is_no_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text, "f.json")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("spec", 3),
        ("spec.endpoints[0].baseURL", 6),
        ("spec.endpoints[1]", 7),
        ("spec.endpoints[1].name", 7),
        ("spec.endpoints[9].name", 4),
        ("spec.unknown.deep", 3),
        ("stringData[a.b]", 9),
        ("nowhere", 2),
        ("", 2),
        ("(document)", 2),
    ],
)
def test_a_field_knows_its_line_or_that_of_the_nearest_above(field: str, line: int) -> None:
    text = """# a comment
kind: K
spec:
  endpoints:
  - name: a
    baseURL: x
  - {name: b}
stringData:
  a.b: c
"""
    (document,) = parse(text, "f.yaml")
    assert document.place(field) == f"f.yaml:{line}"


def test_a_field_of_json_is_where_its_document_is() -> None:
    (document,) = parse('{"spec": {"a": 1}}', "f.json")
    assert document.place("spec.a") == "f.json:1"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nname: {{ .Values.name }}\n", 2),
        ("{{- if .Values.on }}\na: 1\n{{- end }}\n", 1),
        ('a:\n  {{- include "labels" . | nindent 4 }}\n', 2),
        ("{{/* a comment */}}\na: 1\n", 1),
    ],
)
def test_a_template_is_named_as_one(text: str, line: int) -> None:
    with pytest.raises(DocumentError, match=rf"^f\.yaml:{line}: got `\{{\{{`, a template"):
        parse(text, "f.yaml")


def test_what_only_looks_like_a_template_is_told_as_what_it_is() -> None:
    (document,) = parse('a: "{{ .Values.name }}"\n', "f.yaml")
    assert document.manifest == {"a": "{{ .Values.name }}"}
    with pytest.raises(DocumentError, match="that is a list or a mapping, want a string; quote it"):
        parse("? [a]\n: b\n", "f.yaml")
