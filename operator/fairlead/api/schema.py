"""The models as a tree of nodes: the one description behind the CRDs, the reference, and strict decoding."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic_core import PydanticUndefined

from fairlead.api.form import Entries, Items, Number, Text
from fairlead.api.resource import Part, Resource
from fairlead.api.rule import Rule


class Kind(StrEnum):
    """What a value is, in the words of OpenAPI."""

    OBJECT = "object"
    MAP = "map"
    ARRAY = "array"
    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The form of one value."""

    kind: Kind
    title: str = ""
    """Of an OBJECT: the name of its model."""
    doc: str = ""
    """Of an OBJECT: what its model says of itself, in one line."""
    atomic: bool = False
    """Of an OBJECT: server-side apply replaces it as a whole."""
    is_open: bool = False
    """Of an OBJECT: fields of any name may stand in it."""
    properties: tuple["Property", ...] = ()
    """Of an OBJECT, in the order of the model."""
    items: "Node | None" = None
    """Each entry of an ARRAY, each value of a MAP."""
    map_key: Text | None = None
    """The form of a MAP's keys, which the API server cannot state."""
    enum: tuple[str, ...] = ()
    """The only strings that are allowed; empty: any."""
    text: Text | None = None
    number: Number | None = None
    listed: Items | None = None
    entries: Entries | None = None
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """A field of a mapping."""

    name: str
    """As users write it."""
    doc: str
    """In one line."""
    node: Node
    required: bool
    default: Any
    """A JSON value, complete with the defaults of its parts; None when absence has no value."""


def of_spec(resource: type[Resource]) -> Node:
    """Return the form of a resource's `spec`."""
    return _of_annotation(resource.model_fields["spec"].annotation)


@cache
def of_part(part: type[Part]) -> Node:
    """Return the form of a mapping."""
    hints = get_type_hints(part, include_extras=True)
    properties = tuple(
        Property(
            name=info.alias or name,
            doc=" ".join((info.description or "").split()),
            node=_of_annotation(hints[name]),
            required=info.is_required(),
            default=_default(info.get_default(call_default_factory=True)),
        )
        for name, info in part.model_fields.items()
    )
    return Node(
        kind=Kind.OBJECT,
        title=part.__name__,
        doc=" ".join((part.__doc__ or "").split()),
        atomic=part.atomic,
        is_open=part.is_open,
        properties=properties,
        rules=part.constraints,
    )


def _of_annotation(annotation: Any) -> Node:
    extras: tuple[Any, ...] = ()
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *more = get_args(annotation)
            extras = (*more, *extras)
        elif origin in (Union, UnionType):
            (annotation,) = (part for part in get_args(annotation) if part is not NoneType)
        else:
            break
    text = next((extra for extra in extras if isinstance(extra, Text)), None)
    if origin is tuple:
        listed = next(extra for extra in extras if isinstance(extra, Items))
        return Node(kind=Kind.ARRAY, items=_of_annotation(get_args(annotation)[0]), listed=listed)
    if origin is dict:
        key, value = get_args(annotation)
        entries = next(extra for extra in extras if isinstance(extra, Entries))
        return Node(kind=Kind.MAP, items=_of_annotation(value), map_key=_of_annotation(key).text, entries=entries)
    if issubclass(annotation, Enum):
        return Node(kind=Kind.STRING, enum=tuple(str(member.value) for member in annotation))
    if issubclass(annotation, Part):
        return of_part(annotation)
    if text is not None:
        return Node(kind=Kind.STRING, text=text, rules=text.rules)
    number = next((extra for extra in extras if isinstance(extra, Number)), None)
    return Node(kind=Kind.BOOLEAN if number is None else Kind.INTEGER, number=number)


def _default(value: Any) -> Any:
    """Return a default as JSON; empty lists and maps are absence, as Kubernetes treats them."""
    if value is PydanticUndefined or value in ((), {}):
        return None
    if isinstance(value, Part):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=False) or {}
    if isinstance(value, tuple):
        return [_default(one) for one in value] or None
    return str(value.value) if isinstance(value, Enum) else value
