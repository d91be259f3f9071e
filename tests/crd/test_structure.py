"""The CRDs keep Kubernetes' rules for structural schemas, and ours: everything bounded, everything documented."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from crd.apiserver import Schema, broken_rules, defaulted
from crd.generated import CRDS, DOCUMENTS, SCHEMAS

FORBIDDEN = {
    "$ref",
    "allOf",
    "anyOf",
    "definitions",
    "deprecated",
    "discriminator",
    "id",
    "not",
    "oneOf",
    "patternProperties",
    "readOnly",
    "uniqueItems",
    "writeOnly",
    "x-kubernetes-preserve-unknown-fields",
    "xml",
}


def _nodes(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from _nodes(part, f"{path}.{name}")
    if "items" in schema:
        yield from _nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from _nodes(schema["additionalProperties"], f"{path}{{}}")


NODES = {path: node for kind, root in SCHEMAS.items() for path, node in _nodes(root, kind)}
FIELDS = {
    f"{path}.{name}": part
    for path, node in NODES.items()
    for name, part in node.get("properties", {}).items()
    if name != "metadata"
}


def of_each(nodes: Mapping[str, Schema]) -> Callable[[Callable[[Schema], None]], Callable[[], None]]:
    """Judge node by node, and say where it failed: a test for each of thousands costs more than what it does."""

    def decorated(judge: Callable[[Schema], None]) -> Callable[[], None]:
        def test() -> None:
            assert nodes
            for path, node in nodes.items():
                try:
                    judge(node)
                except Exception as error:
                    error.add_note(f"at {path}")
                    raise

        return test

    return decorated


@of_each(NODES)
def test_every_node_is_structural_and_bounded(node: Schema) -> None:
    assert not FORBIDDEN & node.keys()
    match node["type"]:
        case "object":
            assert ("properties" in node) != ("additionalProperties" in node) or node == {"type": "object"}
            assert set(node.get("required", ())) <= node.get("properties", {}).keys()
            assert "additionalProperties" not in node or node["maxProperties"] > 0
        case "array":
            assert node["maxItems"] > 0
            assert node["x-kubernetes-list-type"] in {"atomic", "set", "map"}
        case "string":
            if "description" not in node or "of this object" not in node["description"]:
                assert node.get("enum") or node["maxLength"] > 0
        case "integer":
            assert node["format"] in {"int32", "int64"}
            assert "minimum" in node
        case "boolean":
            pass
        case other:
            raise AssertionError(other)


@of_each({path: node for path, node in NODES.items() if "pattern" in node})
def test_every_pattern_is_anchored(node: Schema) -> None:
    # The API server searches: without both anchors, `x$(rm)` would contain a good name.
    assert node["pattern"].startswith("^")
    assert node["pattern"].endswith("$")


@of_each({path: node for path, node in NODES.items() if node.get("x-kubernetes-list-type") == "map"})
def test_every_list_map_key_is_required_or_has_a_default(node: Schema) -> None:
    for key in node["x-kubernetes-list-map-keys"]:
        assert key in node["items"]["required"] or "default" in node["items"]["properties"][key]


@of_each({path: node for path, node in NODES.items() if node.get("x-kubernetes-list-type") == "set"})
def test_every_set_holds_scalars(node: Schema) -> None:
    assert node["items"]["type"] == "string"


@of_each(FIELDS)
def test_every_field_says_what_it_means(field: Schema) -> None:
    assert re.fullmatch(r"\S.*[.)]", field["description"])


@of_each({path: node for path, node in FIELDS.items() if "default" in node})
def test_every_default_is_complete_and_keeps_the_rules(field: Schema) -> None:
    # At creation the API server runs CEL on a default as it is written, without the defaults of its parts.
    default = field["default"]
    assert defaulted(field, default) == default
    assert list(broken_rules(field, default)) == []


SWITCHES = (".cascade",)
"""What is on where it is written, be it empty."""
NEITHER = (".spec", ".status", *SWITCHES)
OPTIONAL = {path: node for path, node in FIELDS.items() if "properties" in node and not path.endswith(NEITHER)}


@of_each({path: node for path, node in OPTIONAL.items() if not node.get("required")})
def test_an_object_of_which_a_part_has_a_default_has_one_itself(field: Schema) -> None:
    # Otherwise the default would depend on whether an empty mapping is written.
    if any("default" in part for part in field["properties"].values()):
        assert "default" in field


@of_each({path: node for path, node in NODES.items() if "x-kubernetes-validations" in node})
def test_every_rule_says_what_to_do_and_names_a_field_that_exists(node: Schema) -> None:
    for rule in node["x-kubernetes-validations"]:
        assert re.fullmatch(r"(got .*, )?want .*, .*[^.]", rule["message"])
        assert "\n" not in rule["message"]
        part = node
        for name in rule.get("fieldPath", "").split(".")[1:]:
            part = part["properties"][name]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_frame(name: str) -> None:
    crd = DOCUMENTS[name]
    spec = crd["spec"]
    assert crd["metadata"]["name"] == f"{spec['names']['plural']}.fairlead.dev"
    assert spec["scope"] == "Namespaced"
    assert spec["names"]["categories"] == ["fairlead"]
    (version,) = spec["versions"]
    assert version["subresources"] == {"status": {}}
    assert version["additionalPrinterColumns"][0]["name"] == "Ready"
    assert version["additionalPrinterColumns"][-1]["jsonPath"] == ".metadata.creationTimestamp"


def test_short_names() -> None:
    found = {crd["spec"]["names"]["kind"]: crd["spec"]["names"]["shortNames"] for crd in DOCUMENTS.values()}
    assert found == {"ModelProvider": ["mp"], "ModelRoute": ["mr"], "ModelConsumer": ["mcon"], "BudgetPolicy": ["bp"]}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_printer_column_finds_a_field(name: str) -> None:
    (version,) = DOCUMENTS[name]["spec"]["versions"]
    for column in version["additionalPrinterColumns"]:
        path = re.sub(r'\[\?\(@\.type=="\w+"\)\]', "[]", column["jsonPath"])
        if path.startswith(".metadata"):
            continue
        node: Any = version["schema"]["openAPIV3Schema"]
        for step in path.strip(".").split("."):
            node = node["properties"][step.removesuffix("[]")]
            node = node["items"] if step.endswith("[]") else node
        assert node["type"] == column["type"]


def test_strings_that_yaml_1_1_reads_as_booleans_are_quoted() -> None:
    for content in CRDS.values():
        for line in content.decode().splitlines():
            assert not re.search(r"[:-] (y|Y|n|N|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$", line)
