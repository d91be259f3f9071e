"""The story that `fairlead demo` tells: each step shows one property, and fails if it does not hold."""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import openai

from fairlead.api.quantity import nanodollars
from fairlead.demo import ways
from fairlead.demo.bill import Bill, Price, dollars, exact, prices, read_log, table
from fairlead.demo.candidates import Candidates
from fairlead.demo.cast import Cast, run
from fairlead.demo.load import QUESTION, Load, client
from fairlead.demo.narrator import Narrator
from fairlead.demo.promise import POLL_S, SHOWN_FAILURES, StoryError, expect, no_failures, until
from fairlead.demo.replay import ROUTES, Outcome, replay
from fairlead.demo.runaway import Runaway, most, nano, usage
from fairlead.demo.scene import Region, Scene, environment, source
from fairlead.demo.trace import Arrival, arrivals, hour

NAME = "chat"
"""The model name that the visitor calls all the time."""
SLOW_NAME, SLOW_TOKENS = "assistant", "43"
"""A simulated model that takes 5 ms a token: slow enough to watch its answer arrive."""
NAMESPACE = "team-web"
BEFORE, AFTER, WRONG = "model: sparrow", "model: heron", "model: herron"
PREMIUM = ("cloud", "premium")
LOAD_PER_SECOND = 30
SWAP_TIMEOUT_S = 30
HOME_TIMEOUT_S = 60
LOG_TIMEOUT_S = 30
VICTIM = 1
"""Which region's provider is killed: the second."""
HANGING = 2
"""Which region's provider hangs: the third."""
HANG_TIMEOUT_S = 60
"""Two probes, and three steps of three seconds back: a busy machine takes its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much of the trace is replayed, and how fast."""

    seconds: float = 120
    speed: float = 8


class Story:
    """The steps, in order."""

    def __init__(self, scene: Scene, cast: Cast, narrator: Narrator, pace: Pace) -> None:
        self._scene, self._cast, self._narrator, self._pace = scene, cast, narrator, pace
        self._regions = scene.regions()
        self._key = scene.key
        self._clients = {region.name: client(region, scene.key) for region in self._regions}

    async def tell(self) -> None:
        """Go through all steps; raise `StoryError` at the first that fails, a client's error included."""
        async with AsyncExitStack() as stack:
            for each in self._clients.values():
                await stack.enter_async_context(each)
            try:
                await self._steps()
            except openai.OpenAIError as error:
                raise StoryError(f"a request failed: {error}") from error

    async def _steps(self) -> None:
        tell = self._narrator.step
        with tell("Three regions come up: a real Envoy and a real llama.cpp server in each"):
            await self._start()
        with tell("A chat answer, through the official `openai` client"):
            await self._chat()
        with tell("A streamed answer, token by token"):
            await self._stream()
        with tell("The same name is answered in each region by its own servers"):
            await self._everywhere()
        with tell(f"The inference server of {self._regions[VICTIM].name} is killed under load"):
            await self._kill()
        with tell(f"The inference server of {self._regions[HANGING].name} hangs, and nobody notices"):
            await self._hang()
        with tell("A model is swapped by editing one string in a YAML file"):
            await self._swap()
        with tell("A bad edit is refused, and the old configuration keeps serving"):
            await self._bad_edit()
        with tell("A new model goes in by steps, each judged by what the gateways count"):
            await Candidates(self._scene, self._cast, self._narrator).take_in()
        with tell("A model that fails now and then goes out by itself, and no caller notices"):
            await Candidates(self._scene, self._cast, self._narrator).send_back()
        agent = Runaway(self._regions, key=self._scene.agent_key)
        with tell("Two minutes of a real production hour (Azure LLM trace 2023), while an agent runs away"):
            await self._replay(agent)
        with tell("The agent was stopped at its dollar, and nobody else was"):
            await self._settle(agent)
        with tell("The bill of the whole hour, by the way that its requests could go"):
            for row in ways.table(await asyncio.to_thread(ways.columns, source(), hour())):
                self._narrator.show(row)

    async def _start(self) -> None:
        await self._cast.start()
        for region in self._regions:
            self._narrator.say(f"{region.name:<15} gateway {region.base_url}")

    async def _chat(self) -> None:
        began = time.monotonic()
        answer = await self._ask(self._regions[0])
        self._narrator.show(answer)
        took_ms = (time.monotonic() - began) * 1000
        self._narrator.say(f"{took_ms:.0f} ms; the first answer came {self._narrator.seconds:.1f} s after the start")

    async def _stream(self) -> None:
        await self._stream_from(NAME, QUESTION)
        await self._stream_from(SLOW_NAME, QUESTION, metadata={"completion_tokens": SLOW_TOKENS})

    async def _stream_from(self, name: str, question: Any, **more: Any) -> None:
        began = time.monotonic()
        times: list[float] = []
        stream = await self._clients[self._regions[0].name].chat.completions.create(
            model=name, messages=question, stream=True, stream_options={"include_usage": True}, **more
        )
        usage = None
        self._narrator.token("    | ")
        async for chunk in stream:
            usage = chunk.usage or usage
            if chunk.choices and chunk.choices[0].delta.content:
                times.append((time.monotonic() - began) * 1000)
                text = chunk.choices[0].delta.content
                self._narrator.token(text if len(times) > 1 else text.lstrip())
        self._narrator.token("\n")
        expect(usage is not None and len(times) > 1, f"got {len(times)} chunks and usage {usage}, want a stream")
        counted = usage.completion_tokens if usage else 0
        self._narrator.say(
            f"`{name}`: {len(times)} chunks, the first after {times[0]:.1f} ms, the last after {times[-1]:.1f} ms; "
            f"the usage chunk counts {counted} tokens"
        )

    async def _everywhere(self) -> None:
        for region in self._regions:
            answer = await self._own_answer(region)
            self._narrator.show(f"{region.name:<15} {answer}")

    async def _own_answer(self, region: Region) -> str:
        """Ask until the region's own server answers: one that was slow at its start comes back by steps."""
        deadline = time.monotonic() + HOME_TIMEOUT_S
        while region.name not in (answer := await self._ask(region)):
            in_time = time.monotonic() < deadline
            expect(in_time, f"the gateway of {region.name} was answered by another region: {answer}")
            await asyncio.sleep(POLL_S)
        return answer

    async def _kill(self) -> None:
        victim = self._regions[VICTIM].name
        async with self._load() as load:
            await load.answers(LOAD_PER_SECOND)
            await self._cast.inference[victim].child.kill()
            load.answered_by.clear()
            await load.answers(3 * LOAD_PER_SECOND)
            instead = {by: count for (at, by), count in load.answered_by.items() if at == victim}
            places = ", ".join(f"{by} ({count})" for by, count in sorted(instead.items()))
            self._narrator.say(f"killed; callers in {victim} were answered from {places}")
            expect(bool(set(instead) - {victim}), f"nobody in {victim} was answered from another region")
            began = time.monotonic()
            await self._cast.start_inference(victim)
            load.answered_by.clear()
            at_home = (victim, victim)
            await until(lambda: load.answered_by[at_home] > 0, HOME_TIMEOUT_S, f"{victim} did not come back")
            self._narrator.say(f"restarted; {victim} answers at home again {time.monotonic() - began:.1f} s later")
        self._no_failures(load)

    async def _hang(self) -> None:
        """Hold a server that nobody asks anything: probes find out, and requests never meet it."""
        victim = self._regions[HANGING].name
        server = self._cast.inference[victim].child
        endpoint = next(f"llama/{one.name}" for one in self._scene.places("llama") if one.region == victim)
        said_before = len(self._shifts(endpoint))
        began = time.monotonic()
        server.hold()
        await until(
            lambda: "has 0%" in "".join(self._shifts(endpoint)[said_before:]), HANG_TIMEOUT_S, "no probe found out"
        )
        self._narrator.say(
            f"it takes connections and answers nothing; traffic moved {time.monotonic() - began:.1f} s later"
        )
        code, printed = await run("status", "-c", str(self._scene.installation), env=environment(self._scene))
        self._narrator.say(f"`fairlead status` ends with exit code {code}:")
        self._narrator.show("\n".join(line.strip() for line in printed.splitlines() if f" {endpoint} (" in line))
        expect(code == 1, f"`fairlead status` ended with exit code {code}, want 1")
        async with self._load() as load:
            await load.answers(2 * LOAD_PER_SECOND)
            expect((victim, victim) not in load.answered_by, f"a server of {victim} answered that hangs")
            server.go_on()
            await until(
                lambda: "has 100%" in "".join(self._shifts(endpoint)[said_before:]), HANG_TIMEOUT_S, "it did not return"
            )
            self._narrator.say("it goes on; `fairlead up` says:")
            self._narrator.show("\n".join(self._shifts(endpoint)[said_before:]))
            load.answered_by.clear()
            await until(lambda: load.answered_by[victim, victim] > 0, HOME_TIMEOUT_S, f"{victim} did not return")
        self._no_failures(load)

    def _shifts(self, endpoint: str) -> list[str]:
        return [line for line in self._scene.up_lines() if f"{endpoint} has " in line]

    async def _swap(self) -> None:
        path = self._scene.routes
        async with self._load() as load:
            await load.answers(LOAD_PER_SECOND // 2)
            self._scene.edit(BEFORE, AFTER)
            began = time.monotonic()
            self._narrator.show(f"{path}\n-   {BEFORE}\n+   {AFTER}")
            for region in self._regions:
                await self._answered_by("heron", region)
            self._narrator.say(f"live in all three gateways after {time.monotonic() - began:.2f} s")
            await load.answers(LOAD_PER_SECOND)
        self._narrator.show(await self._ask(self._regions[0]))
        self._no_failures(load)

    async def _bad_edit(self) -> None:
        scene = self._scene
        async with self._load() as load:
            self._scene.edit(AFTER, WRONG)
            self._narrator.show(f"{scene.routes}\n-   {AFTER}\n+   {WRONG}")
            resources, installation = str(scene.resources), str(scene.installation)
            code, printed = await run("check", "-f", resources, "-c", installation, env=environment(scene))
            self._narrator.say(f"`fairlead check` ends with exit code {code}:")
            self._narrator.show(printed)
            expect(code == 1, f"`fairlead check` ended with exit code {code}, want 1")
            up = self._cast.up
            await until(lambda: up is not None and "herron" in up.tail(), SWAP_TIMEOUT_S, "`up` said nothing")
            self._narrator.say("`fairlead up` says:")
            self._narrator.show(next(line for line in scene.up_log.read_text().splitlines() if "herron" in line))
            await load.answers(LOAD_PER_SECOND)
            for region in self._regions:
                answer = await self._ask(region)
                expect("heron" in answer.split(), f"the gateway of {region.name} no longer serves heron: {answer}")
            self._narrator.say("all three gateways still serve heron")
            self._scene.edit(WRONG, AFTER)
        self._no_failures(load)

    async def _replay(self, agent: Runaway) -> None:
        trace = arrivals(seconds=self._pace.seconds)
        offsets = {region.name: self._log_size(region) for region in self._regions}
        saved = await self._savings()
        self._narrator.say(f"{len(trace):,} requests, {self._pace.speed:g} times faster, to simulated providers")
        async with asyncio.TaskGroup() as group:
            group.create_task(agent.loop())
            others = group.create_task(replay(trace, self._regions, key=self._key, speed=self._pace.speed))
            await agent.stopped()
            self._narrator.say(
                f"the agent is answered with HTTP 429 since {agent.seconds:.1f} s after its first request; it goes on"
            )
            outcome = await others
            agent.end()
        self._say_outcome(outcome)
        expect(not outcome.failures, f"{len(outcome.failures)} requests failed")
        bill = await self._bill(offsets, len(trace))
        costs = prices(self._scene.documents())
        for row in table(bill, costs, costs[PREMIUM]):
            self._narrator.show(row)
        self._compare(bill, trace, costs)
        await self._say_savings(saved, bill.cost(costs), costs[PREMIUM].of(bill.total()))

    async def _settle(self, agent: Runaway) -> None:
        """Compare what the agent's answers cost with what was booked, to the nano-dollar, and with its limit."""
        price = prices(self._scene.documents())[PREMIUM]
        booked = await usage(self._regions[0], self._scene.agent_key)
        cost, spent, limit = price.of(agent.tokens), nano(booked["spent"]), nano(booked["limit"])
        self._narrator.say(
            f"{agent.tokens.requests} requests answered in {agent.seconds:.1f} s, then {agent.refused} refused: "
            "HTTP 429, `insufficient_quota`"
        )
        self._narrator.show(agent.refusal)
        self._narrator.say("what its key is told by `GET /v1/usage`:")
        self._narrator.show(json.dumps(booked))
        self._narrator.say(
            f"spent {exact(spent)} of {exact(limit)}; its answers' own usage figures make {exact(cost)}: equal, exactly"
        )
        expect(cost == spent, f"booked {exact(spent)}, want {exact(cost)} as the answers' usage figures say")
        expect(spent <= limit, f"spent {exact(spent)}, want at most {exact(limit)}")
        expect(limit - spent < most(price), f"stopped at {exact(spent)}, where {exact(most(price))} would have fitted")

    def _say_outcome(self, outcome: Outcome) -> None:
        waits = sorted(outcome.first_bytes_ms)
        median = waits[len(waits) // 2] if waits else 0
        self._narrator.say(
            f"{outcome.answered:,} answered in {outcome.seconds:.1f} s, failed requests: {len(outcome.failures)}; "
            f"first byte after {median:.1f} ms (median)"
        )
        for failure in outcome.failures[:SHOWN_FAILURES]:
            self._narrator.show(failure)

    async def _bill(self, offsets: dict[str, int], wanted: int) -> Bill:
        """Wait until the gateways have written a line for each request, then sum up."""
        routes = frozenset(f"{NAMESPACE}/{name}" for name in ROUTES.values())
        deadline = time.monotonic() + LOG_TIMEOUT_S
        while True:
            total = Bill()
            for region in self._regions:
                total.add(read_log(self._log_lines(region, offsets[region.name]), routes))
            if total.total().requests >= wanted:
                return total
            counted = total.total().requests
            expect(time.monotonic() < deadline, f"the gateways logged {counted} requests, want {wanted}")
            await asyncio.sleep(1)

    def _compare(self, bill: Bill, trace: Sequence[Arrival], costs: dict[tuple[str, str], Price]) -> None:
        total = bill.total()
        sent = (sum(each.prompt_tokens for each in trace), sum(each.completion_tokens for each in trace))
        measured = (total.prompt, total.completion)
        expect(measured == sent, f"the gateways counted {measured} tokens, the trace has {sent}")
        cost, premium = bill.cost(costs), costs[PREMIUM].of(total)
        self._narrator.say(
            f"tokens are the gateways' own count, and equal the trace's; {dollars(cost)} instead of {dollars(premium)} "
            f"at one premium model: {premium / cost:.1f} times less"
        )

    async def _savings(self) -> dict[str, tuple[int, int]]:
        """Return by route what `fairlead budgets` says it cost, and what it would have cost at its baseline."""
        command = ("budgets", "-c", str(self._scene.installation), "-o", "json")
        _, printed = await run(*command, env=environment(self._scene))
        return {
            one["route"]: (nanodollars(one["spentUSD"]), nanodollars(one["baselineUSD"]))
            for one in json.loads(printed)["savings"]
        }

    async def _say_savings(self, before: dict[str, tuple[int, int]], cost: int, premium: int) -> None:
        """Compare the ledger's savings with the gateways' own count; reports may be a moment late."""
        deadline = time.monotonic() + LOG_TIMEOUT_S
        while True:
            now = await self._savings()
            found = {route: (now[route][0] - spent, now[route][1] - there) for route, (spent, there) in before.items()}
            told = sum(spent for spent, _ in found.values()), sum(there for _, there in found.values())
            if told == (cost, premium):
                break
            expect(time.monotonic() < deadline, f"`fairlead budgets` counted {told}, want {(cost, premium)}")
            await asyncio.sleep(1)
        self._narrator.say("`fairlead budgets` counts the same, to the nano-dollar:")
        for route, (spent, there) in found.items():
            share = f"{100 * (there - spent) / there:.0f} %" if there else "nobody asked it"
            self._narrator.show(f"{route} saves {exact(there - spent)} of {exact(there)} at its baseline: {share}")

    def _log_size(self, region: Region) -> int:
        path = self._scene.access_log(region.name)
        return path.stat().st_size if path.exists() else 0

    def _log_lines(self, region: Region, offset: int) -> list[str]:
        """Read the whole lines after an offset; the last one may still be being written."""
        with self._scene.access_log(region.name).open("rb") as log:
            log.seek(offset)
            return log.read().rpartition(b"\n")[0].decode().splitlines()

    def _load(self) -> Load:
        return Load(self._regions, model=NAME, key=self._key, per_second=LOAD_PER_SECOND)

    def _no_failures(self, load: Load) -> None:
        no_failures(load, self._narrator)

    async def _ask(self, region: Region) -> str:
        answer = await self._clients[region.name].chat.completions.create(model=NAME, messages=QUESTION)
        return (answer.choices[0].message.content or "").strip()

    async def _answered_by(self, model: str, region: Region) -> None:
        deadline = time.monotonic() + SWAP_TIMEOUT_S
        while model not in (await self._ask(region)).split():
            expect(time.monotonic() < deadline, f"the gateway of {region.name} does not serve {model}")
            await asyncio.sleep(POLL_S)
