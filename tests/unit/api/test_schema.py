import pytest

from fairlead.api.conditions import ConditionStatus
from fairlead.api.decode import RESOURCES
from fairlead.api.resource import Resource
from fairlead.api.route import ModelRoute, Timeouts
from fairlead.api.schema import Kind, Node, of_part, of_spec


def _nodes(node: Node) -> list[Node]:
    parts = [field.node for field in node.properties] + ([node.items] if node.items else [])
    return [node, *(inner for part in parts for inner in _nodes(part))]


def test_a_part_becomes_an_object() -> None:
    node = of_part(Timeouts)
    assert (node.kind, node.title, node.doc) == (Kind.OBJECT, "Timeouts", "How long a request may wait for what.")
    first = node.properties[0]
    assert (first.name, first.required, first.default) == ("firstByte", False, "8s")
    assert first.doc.startswith("Streams: from the start of an attempt")


def test_fields_are_found_by_the_names_that_users_write() -> None:
    fields = {field.name: field for field in of_spec(ModelRoute).properties}
    assert fields["consumers"].default == {"namespaces": {"from": "Same"}}
    assert fields["fallbacks"].default is None
    assert fields["residency"].node.enum == ("Any", "Geo", "Region")
    assert fields["maxAttempts"].node.number is not None
    assert fields["modelNames"].node.listed is not None


def test_an_enum_has_the_order_of_its_definition() -> None:
    assert [str(member) for member in ConditionStatus] == ["True", "False", "Unknown"]


@pytest.mark.parametrize("resource", RESOURCES)
def test_every_node_says_what_it_wants(resource: type[Resource]) -> None:
    for node in _nodes(of_spec(resource)):
        match node.kind:
            case Kind.STRING:
                assert node.enum or node.text
            case Kind.INTEGER:
                assert node.number
            case Kind.ARRAY:
                assert node.items
                assert node.listed
            case Kind.MAP:
                assert node.items
                assert node.map_key
                assert node.entries
            case Kind.OBJECT:
                assert bool(node.properties) != node.is_open
