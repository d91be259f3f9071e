"""Who is meant: namespaces, labels, consumers."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from fairlead.api.form import Entries, Items, LabelKey, LabelValue, ListType, Name
from fairlead.api.resource import Part
from fairlead.api.rule import Rule


class LabelOperator(StrEnum):
    """How a label is compared with the values of a requirement."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


_WITH_VALUES = (LabelOperator.IN, LabelOperator.NOT_IN)


class LabelRequirement(Part):
    """One requirement on one label."""

    key: LabelKey
    """The label."""
    operator: LabelOperator
    """`In` and `NotIn` compare with `values`; `Exists` and `DoesNotExist` ask for the label only."""
    values: Annotated[tuple[LabelValue, ...], Items(max_items=64)] = ()
    """The values to compare with; needed by `In` and `NotIn`, empty for the others."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: value["operator"] not in _WITH_VALUES or bool(value.get("values")),
            cel="!(self.operator in ['In', 'NotIn']) || (has(self.values) && self.values.size() > 0)",
            message="got `In` or `NotIn` without values, want at least one, add `values`",
            reads=("operator", "values"),
            field="values",
        ),
        Rule(
            holds=lambda value: value["operator"] in _WITH_VALUES or not value.get("values"),
            cel="self.operator in ['In', 'NotIn'] || !has(self.values) || self.values.size() == 0",
            message="got values for `Exists` or `DoesNotExist`, want none, remove `values`",
            reads=("operator", "values"),
            field="values",
        ),
    )


class LabelSelector(Part):
    """Labels as Kubernetes selects by them: everything that is written must hold; an empty selector selects all."""

    atomic: ClassVar[bool] = True

    match_labels: Annotated[dict[LabelKey, LabelValue], Entries(max_properties=32)] = Field(default_factory=dict)
    """Labels that must be there with exactly these values."""
    match_expressions: Annotated[tuple[LabelRequirement, ...], Items(max_items=16)] = ()
    """Further requirements, all of which must hold."""


class From(StrEnum):
    """Whose namespaces are meant."""

    SAME = "Same"
    ALL = "All"
    SELECTOR = "Selector"


class Namespaces(Part):
    """A choice of namespaces."""

    from_: From = Field(default=From.SAME, alias="from")
    """`Same`: the namespace of this object. `All`: every namespace. `Selector`: those whose labels `selector`
    matches."""
    selector: LabelSelector | None = None
    """Labels of the namespaces that are meant. Only with `from: Selector`, and needed there."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: value["from"] != From.SELECTOR or "selector" in value,
            cel="self.from != 'Selector' || has(self.selector)",
            message="got `from: Selector` without a selector, want one, add `selector: {matchLabels: ...}`",
            reads=("from", "selector"),
            field="selector",
        ),
        Rule(
            holds=lambda value: value["from"] == From.SELECTOR or "selector" not in value,
            cel="self.from == 'Selector' || !has(self.selector)",
            message="got a selector that nothing uses, want `from: Selector` with it, change one of them",
            reads=("from", "selector"),
            field="selector",
        ),
    )


class Consumers(Part):
    """A choice of ModelConsumers: by namespace, and within it by name or by labels."""

    namespaces: Namespaces = Namespaces()
    """Where the consumers live; by default in the namespace of this object. `All` and `Selector` count only for objects
    in the installation's namespace."""
    names: Annotated[
        tuple[Name, ...] | None,
        Items(max_items=256, min_items=1, list_type=ListType.SET, absent="leave it out for every consumer"),
    ] = None
    """Names of ModelConsumers. Absent: every consumer, or those that `selector` matches. Not together with
    `selector`."""
    selector: LabelSelector | None = None
    """Labels of ModelConsumers. Absent: every consumer, or those in `names`. Not together with `names`."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: not ("names" in value and "selector" in value),
            cel="!has(self.names) || !has(self.selector)",
            message="got both `names` and `selector`, want one of them, remove the other",
            reads=("names", "selector"),
        ),
    )
