"""`POST /v1/answers/find` and `/v1/answers/keep`, for gateways alone: see `SharedAnswers` and `shared_answer`.

Beside `/v1/usage`, whose address only gateways reach. The client of a gateway reaches neither: no route leads there.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from fairlead.budgetserver import shared_answer
from fairlead.budgetserver.shared_answer import LARGEST, SharedAnswerError
from fairlead.budgetserver.shared_answers import BusyError, SharedAnswers
from fairlead.budgetserver.store import StoreError

PATIENCE_S = 3.0
"""How long a body may take to arrive: longer than a gateway waits, and not for ever where one is cut off."""
FIND_PATH, KEEP_PATH = "/v1/answers/find", "/v1/answers/keep"


def add_routes(application: web.Application, answers: SharedAnswers) -> None:
    """Serve both paths: 200 with an answer, 204 for one that was taken, 404 and 400 as usual.

    429 for too many at a time, which is no failure; 503 where the store does not answer.
    """

    async def find(request: web.Request) -> web.Response:
        async def step(key: bytes) -> web.Response:
            found = await answers.find(key)
            if found is None:
                return web.Response(status=404)
            return web.Response(body=found.body, headers=shared_answer.headers_of(found))

        return await _bounded(request, answers, answers.unsought, step)

    async def keep(request: web.Request) -> web.Response:
        async def step(content: bytes) -> web.Response:
            await answers.keep(shared_answer.read_offer(request.headers, content))
            return web.Response(status=204)

        return await _bounded(request, answers, answers.unkept, step)

    application.router.add_post(FIND_PATH, find)
    application.router.add_post(KEEP_PATH, keep)


async def _bounded(
    request: web.Request,
    answers: SharedAnswers,
    uncounted: Callable[[str], None],
    step: Callable[[bytes], Awaitable[web.Response]],
) -> web.Response:
    """Answer a request whose body may be as long as an answer. `uncounted` is told why `step` was not come to."""
    try:
        answers.enter()
    except BusyError:
        uncounted("busy")
        return web.Response(status=429)
    try:
        # The application's own bound is that of a rating.
        async with asyncio.timeout(PATIENCE_S):
            content = await request.clone(client_max_size=LARGEST).read()
        return await step(content)
    except TimeoutError:
        uncounted("malformed")
        return web.Response(status=408, headers={"connection": "close"})
    except (SharedAnswerError, web.HTTPRequestEntityTooLarge):
        uncounted("malformed")
        return web.Response(status=400)
    except StoreError:
        return web.Response(status=503)
    finally:
        answers.leave()
