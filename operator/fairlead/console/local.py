"""The picture of a `fairlead up`: its state folder, its Envoys' admin sockets, its budget server."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from fairlead.adapters import budget_server, lock
from fairlead.adapters.clock import SystemClock
from fairlead.adapters.gateway_metrics import GatewayMetrics, HttpGatewayMetrics
from fairlead.budget import cached
from fairlead.budget.price import Price
from fairlead.console import picture
from fairlead.console.picture import NO_BUDGET, Picture
from fairlead.errors import BudgetServerError
from fairlead.ir import ModelKind
from fairlead.runtime import feedback
from fairlead.runtime.ejections import Ejections, ejections
from fairlead.standalone import budget_health, request_logs, status
from fairlead.standalone.state import StateFolder
from fairlead.standalone.status_document import Document, Region, Route, counts
from fairlead.status import Answer, Share, answers, is_ill

Json = dict[str, Any]
_HUNDRED = 100


class LocalSource:
    """A state folder."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._metrics = HttpGatewayMetrics()

    @property
    def metrics(self) -> GatewayMetrics:
        """Over HTTP on loopback."""
        return self._metrics

    async def gateways(self) -> Mapping[str, tuple[str, ...]]:
        """Return each region's own."""
        document = status.read(self._folder)
        return {} if document is None else {one["name"]: (one["metrics"],) for one in document["regions"]}

    async def prices(self) -> Mapping[str, Price]:
        """Return what `fairlead up` last said."""
        return request_logs.prices(self._folder)

    async def look(self) -> Picture:
        """Return the picture of the moment; raises `StateError` where the folder cannot be read."""
        source = f"fairlead up, {self._folder.root.parent.name}/{self._folder.root.name}"
        document = status.read(self._folder)
        if document is None:
            return Picture(source=source, alerts=("`fairlead up` has not started here yet",))
        process = lock.holder(self._folder.root)
        if process is None:
            alerts = ["`fairlead up` does not run; this is what it served last"]
        else:
            now_ms = int(SystemClock().now().timestamp() * 1000)
            alerts = [*filter(None, [status.staleness(document, now_ms, stopped=lock.is_stopped(process))])]
        told = (
            {one["name"]: await ejections(self._metrics, (one["metrics"],)) for one in document["regions"]}
            if process is not None
            else {}
        )
        budgets, money, rated = None, "", list[Json]()
        if process is not None:
            try:
                budgets, money = await self._budgets(document)
                rated = await self._feedback(document)
            except BudgetServerError as error:
                alerts.append(f"nobody says what is spent: {error}")
        return draw(document, told, source=source, alerts=alerts, budgets=budgets, money=money, rated=rated)

    def _server(self, document: Document) -> Path | None:
        """Return where to ask what is counted; None where nothing is."""
        socket = self._folder.budget.places.http
        return socket if counts(document) and socket.exists() else None

    async def _feedback(self, document: Document) -> list[Json]:
        """Ask what users thought of answers; raises `BudgetServerError`."""
        socket = self._server(document)
        return [] if socket is None else feedback.told([await budget_server.counted(socket)])

    async def _budgets(self, document: Document) -> tuple[Json | None, str]:
        """Ask what is spent; raises `BudgetServerError`."""
        socket = self._server(document)
        if socket is None:
            return None, NO_BUDGET
        found = await budget_server.ask(socket, "/v1/budgets")
        policies = [
            {
                "name": policy["name"],
                "limit": policy["limit"],
                "each": "together" if policy["scope"] == "Shared" else "each",
                "resets": policy["resets_at"],
                "note": "",
                "spenders": [
                    picture.spender(one["consumer"], spent=one["spent"], limit=policy["limit"], stage=one["stage"])
                    for one in policy["consumers"]
                ],
            }
            for policy in found["policies"]
        ]
        unbudgeted = [{"who": one["consumer"], "spent": one["spent"]} for one in found["unbudgeted"]]
        caches = cached.beside(found["caches"], document.get("caches", ()))
        sharing = budget_health.sharing(found)
        return picture.budgets(policies, found["savings"], unbudgeted, caches, found["in_flight"], sharing=sharing), ""


def draw(
    document: Document,
    told: Mapping[str, Ejections],
    *,
    source: str,
    alerts: Sequence[str] = (),
    budgets: Json | None = None,
    money: str = "",
    rated: Sequence[Json] = (),
) -> Picture:
    """Draw `status.json`. `told`: what the gateways said of this moment; empty where nobody was asked."""
    if budgets is None and (counted := document.get("caches")):
        budgets = picture.budgets((), (), (), counted)
    known = picture.endpoints(map(dict, document["endpoints"]), [is_ill(one) for one in document["endpoints"]])
    ladders = [
        ladder
        for region in document["regions"]
        for route in region["routes"]
        for ladder in picture.ladders(
            route["name"],
            region["name"],
            {**answers(_answers(route)), "shadow": route["shadow"]},
            known,
            told.get(region["name"], Ejections()).targets,
        )
    ]
    return Picture(
        source=source,
        alerts=[
            *alerts,
            *(
                f"{one['region']} has no room for all requests: 503 `overloaded`"
                for one in document.get("overloaded", ())
            ),
        ],
        regions=[
            _region(one, document, ladders, known, told) for one in sorted(document["regions"], key=itemgetter("name"))
        ],
        routes=picture.routes(ladders),
        endpoints=known,
        failing=[{"subject": one["subject"], "message": one["message"]} for one in document["failing"]],
        rollouts=[{**one} for one in document["rollouts"]],
        budgets=budgets,
        money=money,
        refusals=[
            {"subject": one["subject"] or one["source"], "where": one["source"], "message": one["message"]}
            for one in document["diagnostics"]
            if one["weight"] == "problem"
        ],
        classifiers=[{**one} for one in document.get("classifiers", ())],
        feedback=rated,
    )


def _answers(route: Route) -> list[Answer]:
    return [
        Answer(
            names=tuple(one["names"]),
            kind=ModelKind(one["kind"]),
            ladders=tuple(
                Share(
                    weight=_basis_points(ladder["weight"]),
                    targets=tuple(ladder["targets"]),
                    judged=tuple(ladder.get("judged", ())),
                )
                for ladder in one["ladders"]
            ),
            last_resort=one["lastResort"],
        )
        for one in route["answers"]
    ]


def _basis_points(percent: str) -> int:
    return round(float(percent.removesuffix("%")) * _HUNDRED)


def _region(
    region: Region,
    document: Document,
    ladders: list[tuple[str, str, Json]],
    known: list[Json],
    told: Mapping[str, Ejections],
) -> Json:
    name = region["name"]
    drained = name in document["drainedRegions"]
    said = told.get(name)
    runs = said is not None and said.answered
    state = "Not running" if said is None else "No answer" if not runs else "Drained" if drained else picture.SERVES
    serves = picture.serving(name, ladders)
    return {
        "name": name,
        "geo": region["geo"],
        "address": f"http://{region['listen']}/v1",
        **picture.gateway(state, serves),
        "endpoints": [one for one in known if one["region"] == name],
        "serves": serves,
    }
