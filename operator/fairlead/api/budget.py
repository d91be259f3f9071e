"""BudgetPolicy: how many dollars which consumers may spend, and what happens then."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from fairlead.api import quantity
from fairlead.api.form import Dollars, Items, ListType, LongDuration, Percent, RouteReference, Time, TimeZone
from fairlead.api.resource import Part, Resource
from fairlead.api.rule import Rule, repeated
from fairlead.api.selector import Consumers


class BudgetScope(StrEnum):
    """Who shares a limit."""

    PER_CONSUMER = "PerConsumer"
    SHARED = "Shared"


class Limit(Part):
    """How much may be spent in one window."""

    usd: Dollars
    """Dollars, as a string. `"0"` refuses every request: the kill switch."""


class Calendar(StrEnum):
    """A window that begins with the calendar's unit; a week begins on Monday."""

    DAY = "Day"
    WEEK = "Week"
    MONTH = "Month"


class Window(Part):
    """After what time a limit starts anew."""

    every: LongDuration | None = None
    """A fixed length, at least `1s`. Either this or `calendar`."""
    starting_at: Time | None = None
    """A moment at which some window of length `every` begins. Absent: 1970-01-01T00:00:00Z."""
    calendar: Calendar | None = None
    """`Day`, `Week` or `Month`, in `timeZone`. Either this or `every`."""
    time_zone: TimeZone | None = None
    """Where the calendar's day begins, by the IANA database. Absent: UTC."""

    constraints: ClassVar = (
        Rule(
            holds=lambda value: not ("every" in value and "calendar" in value),
            cel="!(has(self.every) && has(self.calendar))",
            message="got both `every` and `calendar`, want one of them, remove the other",
            reads=("every", "calendar"),
        ),
        Rule(
            holds=lambda value: "every" in value or "calendar" in value,
            cel="has(self.every) || has(self.calendar)",
            message="got neither `every` nor `calendar`, want one of them, leave `window` out for a budget that never"
            " resets",
            reads=("every", "calendar"),
        ),
        Rule(
            holds=lambda value: "timeZone" not in value or "calendar" in value,
            cel="!has(self.timeZone) || has(self.calendar)",
            message="got `timeZone` without `calendar`, want both or none, remove `timeZone`",
            reads=("timeZone", "calendar"),
            field="timeZone",
        ),
        Rule(
            holds=lambda value: "startingAt" not in value or "every" in value,
            cel="!has(self.startingAt) || has(self.every)",
            message="got `startingAt` without `every`, want both or none, remove `startingAt`",
            reads=("startingAt", "every"),
            field="startingAt",
        ),
    )


class Action(StrEnum):
    """What a stage does."""

    NOTIFY = "Notify"
    DOWNGRADE = "Downgrade"
    REJECT = "Reject"


class Stage(Part):
    """What happens from some share of the limit on."""

    at: Percent
    """The share of the limit that is spent (reservations not counted); may pass 100%."""
    action: Action
    """`Notify`: tell. `Downgrade`: the route's `downgradeTo` answers. `Reject`: 429."""


def _repeated_points(spec: Any) -> tuple[str, ...]:
    points = (quantity.basis_points(stage["at"]) for stage in spec.get("stages", ()))
    return tuple(f"stages[{index}].at" for index in repeated(points))


class BudgetPolicySpec(Part):
    """Whose spending is bounded, by how much, and what happens on the way."""

    consumers: Consumers = Consumers()
    """Whose requests count; by default those of every consumer of this namespace."""
    routes: Annotated[
        tuple[RouteReference, ...] | None,
        Items(max_items=64, min_items=1, list_type=ListType.SET, absent="leave it out for all routes"),
    ] = None
    """ModelRoutes of this namespace whose requests count; in the installation's namespace also `namespace/name`.
    Absent: all routes."""
    scope: BudgetScope = BudgetScope.PER_CONSUMER
    """`PerConsumer`: each consumer has the limit for itself. `Shared`: all have it together. It cannot change."""
    limit: Limit
    """How much may be spent in one window."""
    window: Window | None = None
    """After what time the limit starts anew. Absent: never (prepaid). It cannot change."""
    stages: Annotated[tuple[Stage, ...], Items(max_items=8, list_type=ListType.MAP, keys=("at",))] = ()
    """What happens on the way. Without a stage at or above `100%`, requests are rejected at `100%`."""

    constraints: ClassVar = (
        Rule(
            places=_repeated_points,
            cel="!has(self.stages) || self.stages.all(a, self.stages.exists_one(b,"
            " double(a.at.substring(0, a.at.size() - 1)) == double(b.at.substring(0, b.at.size() - 1))))",
            message="got two stages at one share, want each `at` once, merge them",
            reads=("stages",),
            field="stages",
        ),
    )


class BudgetPolicy(Resource):
    """How many dollars which consumers may spend, and what happens then. All policies that match apply."""

    kind: ClassVar[str] = "BudgetPolicy"
    plural: ClassVar[str] = "budgetpolicies"
    short_name: ClassVar[str] = "bp"

    spec: BudgetPolicySpec
    """Whose spending is bounded, by how much, and what happens on the way."""
