"""A board's frame: data source, variables, and panels laid out from left to right."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from grafana_foundation_sdk.builders.common import VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
    ThresholdsConfig,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as Timeseries
from grafana_foundation_sdk.models.common import (
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)

SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
TAG = "fairlead"


@dataclass(frozen=True)
class Query:
    """One PromQL expression, and what its lines are called (`{{label}}` is replaced by Grafana)."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Chart:
    """Lines over time.

    `unit` is Grafana's id (`reqps`, `ms`, `percentunit`, ...); `says` tells in a sentence what to look for.
    """

    title: str
    unit: str
    says: str
    queries: tuple[Query, ...]
    width: int = 12

    def panel(self) -> Timeseries:
        """Build the panel."""
        panel = (
            Timeseries()
            .title(self.title)
            .description(self.says)
            .datasource(SOURCE)
            .unit(self.unit)
            .min(0)
            .span(self.width)
            .height(8)
            .show_points(VisibilityMode.NEVER)
            .fill_opacity(8)
            .legend(
                VizLegendOptions()
                .display_mode(LegendDisplayMode.LIST)
                .placement(LegendPlacement.BOTTOM)
                .show_legend(show_legend=True)
            )
            .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        )
        for query in _targets(self.queries, instant=False):
            panel.with_target(query)
        return panel


@dataclass(frozen=True)
class Figure:
    """One number of now, green until `red_at` is reached (None: no colour)."""

    title: str
    unit: str
    says: str
    query: Query
    red_at: float | None = None
    width: int = 4

    def panel(self) -> Stat:
        """Build the panel."""
        steps = [Threshold(value=None, color="green")]
        if self.red_at is not None:
            steps.append(Threshold(value=self.red_at, color="red"))
        panel = (
            Stat()
            .title(self.title)
            .description(self.says)
            .datasource(SOURCE)
            .unit(self.unit)
            .span(self.width)
            .height(4)
            .thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        )
        for query in _targets((self.query,), instant=True):
            panel.with_target(query)
        return panel


@dataclass(frozen=True)
class Choice:
    """A variable of a board: values of a label of a series; All is the default."""

    name: str
    label: str
    series: str
    of: str
    """The label."""
    regex: str = ""
    """What of the label's value counts: the first group."""


@dataclass(frozen=True)
class Board:
    """A whole board; `rows` are titles with their panels."""

    uid: str
    title: str
    says: str
    choices: tuple[Choice, ...]
    rows: tuple[tuple[str, tuple[Chart | Figure, ...]], ...]

    def build(self) -> Dashboard:
        """Build the board, with links to the others."""
        board = (
            Dashboard(self.title)
            .uid(self.uid)
            .description(self.says)
            .tags([TAG])
            .timezone("browser")
            .time("now-1h", "now")
            .refresh("30s")
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .editable()
            .link(
                DashboardLink("Fairlead")
                .type(DashboardLinkType.DASHBOARDS)
                .tags([TAG])
                .keep_time(keep_time=True)
                .include_vars(include_vars=True)
            )
            .with_variable(DatasourceVariable("source").label("Prometheus").type("prometheus"))
        )
        for choice in self.choices:
            board.with_variable(_variable(choice))
        numbers = count(1)
        for title, panels in self.rows:
            board.with_row(Row(title).id(next(numbers)))
            for panel in panels:
                board.with_panel(panel.panel().id(next(numbers)))
        return board


def _variable(choice: Choice) -> QueryVariable:
    return (
        QueryVariable(choice.name)
        .label(choice.label)
        .datasource(SOURCE)
        .query(f"label_values({choice.series}, {choice.of})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
        .regex(choice.regex)
    )


def _targets(queries: Sequence[Query], *, instant: bool) -> list[Dataquery]:
    targets = []
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        target = Dataquery().datasource(SOURCE).expr(query.expr).legend_format(query.legend).ref_id(letter)
        targets.append(target.instant() if instant else target.range())
    return targets
