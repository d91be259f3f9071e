"""Who gives requests of a ModelRoute a category, for rules that ask for one."""

from typing import Annotated, ClassVar

from fairlead.api import quantity
from fairlead.api.form import Duration, Entries, LongDuration, Name, Number, Text
from fairlead.api.resource import Part
from fairlead.api.rule import Rule

MOST_CATEGORIES = 16
NO_CATEGORY = "none"
"""What `x-fairlead-category` says where there is none, so no category's name."""
_LONGEST_WAIT = "10s"
_LONGEST_MEMORY = "24h"

ServicePath = Annotated[
    str,
    Text(pattern="^/[A-Za-z0-9._~/-]*$", want="a path that begins with `/`, such as `/classify`", max_length=256),
]

Description = Annotated[
    str,
    Text(
        pattern=r"^[^\x00-\x1f\x7f-\x9f]+$",
        want="a line of 1 to 200 characters that says what belongs to the category",
        max_length=200,
        refused=r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]",
    ),
]


class ClassifierService(Part):
    """An HTTP service: `POST {"text": ...}` is answered by `{"category": ..., "confidence": ...}`, without TLS."""

    name: Name
    """A Service of this namespace; in `fairlead up` a host's name."""
    port: Annotated[int, Number(minimum=1, maximum=65535)]
    """Its port."""
    path: ServicePath = "/"
    """Where it is asked."""


def _at_most(field: str, most: str) -> Rule:
    return Rule(
        holds=lambda value: field not in value or quantity.milliseconds(value[field]) <= quantity.milliseconds(most),
        cel=f"!has(self.{field}) || duration(self.{field}) <= duration('{most}')",
        message=f"got more than `{most}`, want at most that, lower it",
        reads=(field,),
        field=field,
    )


class Classifier(Part):
    """Gives the category of a request, by the last text of the user: at most 8 KB of it."""

    route: Name | None = None
    """A ModelRoute of this namespace whose model is asked in one word; its rules do not apply. The caller pays, within
    its budgets, and needs no right on its names. One of `route` and `service`."""
    service: ClassifierService | None = None
    """An HTTP service that is asked. One of `route` and `service`."""
    categories: Annotated[dict[Name, Description], Entries(max_properties=MOST_CATEGORIES)]
    """The names of the categories, and what belongs to each, in words that a model understands. The first word of an
    answer is the category, in either case; any other word is none."""
    timeout: Duration = "300ms"
    """How long a request waits; then it has no category. At most `10s`. Nobody is asked twice."""
    remember: LongDuration | None = None
    """How long each worker of a gateway takes the answer for the same text without asking. At most `24h`. Absent: every
    request is asked about."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: ("route" in value) != ("service" in value),
            cel="has(self.route) != has(self.service)",
            message="got both or none of `route` and `service`, want one of them, write the one that is to be asked",
            reads=("route", "service"),
        ),
        Rule(
            holds=lambda value: bool(value.get("categories")),
            cel="self.categories.size() > 0",
            message="got no category, want those that rules ask for, add them",
            reads=("categories",),
            field="categories",
        ),
        Rule(
            holds=lambda value: NO_CATEGORY not in value["categories"],
            cel=f"!('{NO_CATEGORY}' in self.categories)",
            message=f"got `{NO_CATEGORY}`, which stands for no category, want another name, change it",
            reads=("categories",),
            field="categories",
        ),
        _at_most("timeout", _LONGEST_WAIT),
        _at_most("remember", _LONGEST_MEMORY),
    )
