"""HTTP: what a key may still spend, for clients through their gateway; what everybody spent, for operators.

Two applications on two addresses. `/v1/usage` and `/v1/feedback` believe `x-fl-consumer`, which gateways set after they
checked the key and strip from what clients send, and `/v1/answers/` the key of a request. Whoever else reaches that
address could read other consumers' budgets, rate their answers, and read or replace answers that gateways share. So it
is an address of its own: a socket file in a private folder, or a port that a NetworkPolicy opens to gateways alone.
"""

from collections.abc import Callable
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from fairlead.budget import usage
from fairlead.budgetserver import answers_web, feedback
from fairlead.budgetserver.feedback import FeedbackError, Outcome
from fairlead.budgetserver.ledgerview import overview, told
from fairlead.budgetserver.metrics import Metrics
from fairlead.budgetserver.ratelimit import RateLimitService
from fairlead.budgetserver.ratings import Ratings
from fairlead.budgetserver.shared_answers import SharedAnswers
from fairlead.budgetserver.store import StoreError

CONSUMER_HEADER = "x-fl-consumer"


def _error(status: int, code: str, message: str, param: str | None = None) -> web.Response:
    kind = "server_error" if status >= web.HTTPInternalServerError.status_code else "invalid_request_error"
    error = {"message": message, "type": kind, "param": param, "code": code}
    return web.json_response({"error": error}, status=status)


_RATED = {
    Outcome.UNKNOWN: (
        404,
        "answer_not_found",
        "This key got no answer with this id in the last 24 hours that can be rated.",
    ),
    Outcome.CONTRADICTED: (409, "already_rated", "This answer has the other rating, which stays."),
}


def usage_application(service: RateLimitService, ratings: Ratings, answers: SharedAnswers) -> web.Application:
    """Make the application that gateways lead clients to, and ask for answers that they share."""

    async def own(request: web.Request) -> web.Response:
        consumer = request.headers.get(CONSUMER_HEADER, "")
        if not consumer:
            return _error(401, "invalid_api_key", "No valid API key was provided.")
        try:
            standings = await service.standings(consumer)
        except StoreError:
            return _error(503, "budget_unavailable", "The budget store does not answer.")
        headers = {"cache-control": "no-store"}
        return web.json_response(usage.document(standings), headers=headers)

    async def rate(request: web.Request) -> web.Response:
        consumer = request.headers.get(CONSUMER_HEADER, "")
        if not consumer:
            return _error(401, "invalid_api_key", "No valid API key was provided.")
        try:
            asked, rating = feedback.read(await request.read())
            outcome = await ratings.rate(consumer, asked, rating)
        except web.HTTPRequestEntityTooLarge:
            ratings.refused("malformed")
            return _error(413, "request_too_large", f"A rating has at most {feedback.LONGEST_BODY} bytes.")
        except FeedbackError as error:
            ratings.refused("malformed")
            return _error(400, "invalid_feedback", str(error), error.param)
        except StoreError:
            ratings.refused("unavailable")
            return _error(503, "feedback_unavailable", "Ratings cannot be taken at the moment; send it again later.")
        if outcome in _RATED:
            return _error(*_RATED[outcome])
        return web.json_response({"object": "feedback", "request_id": asked, "rating": rating.value})

    application = web.Application(client_max_size=feedback.LONGEST_BODY)
    application.router.add_get("/v1/usage", own)
    application.router.add_post("/v1/feedback", rate)
    answers_web.add_routes(application, answers)
    return application


def operator_application(
    service: RateLimitService, metrics: Metrics, health: Callable[[], dict[str, Any]], is_whole: Callable[[], bool]
) -> web.Application:
    """Make the application for operators and Prometheus.

    `/readyz`: the process answers. `/livez`: it is whole, and need not be replaced. `/healthz`: it can decide, too, and
    cannot while the store is away.
    """

    async def show_metrics(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"content-type": CONTENT_TYPE_LATEST})

    async def ready(_request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"ok": is_whole()}, status=200 if is_whole() else 503)

    async def show_health(_request: web.Request) -> web.Response:
        state = health()
        return web.json_response(state, status=200 if state["ok"] else 503)

    async def show_budgets(_request: web.Request) -> web.Response:
        state = health()
        try:
            return web.json_response(await overview(service) | state)
        except StoreError as error:
            passing = "pass unchecked" if state["failure_policy"] == "Open" else "are refused"
            message = f"{error}; requests {passing} meanwhile, {state['backlog']} bookings wait for the store"
            return _error(503, "budget_unavailable", message)

    async def show_spend(_request: web.Request) -> web.Response:
        return web.json_response(await told(service, health()["configuration"]))

    application = web.Application()
    application.router.add_get("/metrics", show_metrics)
    application.router.add_get("/readyz", ready)
    application.router.add_get("/livez", live)
    application.router.add_get("/healthz", show_health)
    application.router.add_get("/v1/budgets", show_budgets)
    application.router.add_get("/v1/spend", show_spend)
    return application
