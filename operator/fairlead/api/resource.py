"""What all resources share: how their parts are read, and the frame of kind, metadata and spec."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from fairlead.api.meta import ObjectKey, ObjectMeta
from fairlead.api.rule import Rule

GROUP = "fairlead.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class Part(BaseModel):
    """A mapping in what users write. Names are snake_case here and camelCase there; an unknown name is an error.

    Scalars are strict (`api.form`): nothing is coerced. Docstrings of fields are the documentation that users read, in
    the CRD and in the reference, so each says what the field means, how it meets others, and what its absence means.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )

    constraints: ClassVar[tuple[Rule, ...]] = ()
    """What holds between the fields of this mapping, judged after each field by itself."""
    is_open: ClassVar[bool] = False
    """Whether fields of any name may stand in it, which mean nothing. The model has `extra="ignore"` then."""
    atomic: ClassVar[bool] = False
    """Whether server-side apply replaces the mapping as a whole: two owners cannot each own half of a selector."""


class Resource(Part):
    """An object of the group `fairlead.dev`. Subclasses add `spec`."""

    kind: ClassVar[str]
    plural: ClassVar[str]
    short_name: ClassVar[str]

    metadata: ObjectMeta

    @property
    def key(self) -> ObjectKey:
        """Kind, namespace and name."""
        return ObjectKey(self.kind, self.metadata.namespace, self.metadata.name)
