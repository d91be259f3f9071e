"""Stories of rollouts as the machine plays them, written down line by line."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from fairlead.rollout import machine
from fairlead.rollout.observation import Act, Observation, Order
from fairlead.rollout.plan import Bounds, Plan, Query, Source, Step
from fairlead.rollout.state import State
from fairlead.rollout.tally import ArmCounts, Tally
from fairlead.status import rollout

MINUTE = 60_000
BOUNDS = Bounds(error_rate=0.01, worse_rate=0.02, cost_increase=0.2, min_requests=100, interval_ms=MINUTE)
STEPS = (
    Step(shadow=500, hold_ms=2 * MINUTE),
    Step(traffic=1_000, hold_ms=3 * MINUTE),
    Step(traffic=5_000, hold_ms=2 * MINUTE),
)
OLD = Plan(primary="p/old", steps=STEPS, bounds=BOUNDS)
NEW = replace(OLD, primary="p/new")
THIRD = replace(OLD, primary="p/third")
BY_HAND = replace(NEW, steps=(Step(traffic=1_000), Step(traffic=5_000)))
THUMBS = Query(name="thumbs", expression="thumbs", at_least=0.9)
MEASURED = replace(NEW, source=Source(url="http://p", timeout_ms=1000), bounds=replace(BOUNDS, queries=(THUMBS,)))


class Play:
    """One route, one look a minute; each line says what came and how it stands then."""

    def __init__(self) -> None:
        self.plan, self.now_ms, self.lines = OLD, 0, list[str]()
        self.state: State | None = None
        self._orders = 0
        self.git(OLD)

    def git(self, plan: Plan, what: str = "") -> None:
        """Somebody writes, or what can be reached changes."""
        self.plan = plan
        self.state = machine.ask(plan, self.state, self.now_ms)
        self._write(what or f"Git: {plan.primary}")

    def hand(self, act: Act) -> None:
        """A person orders."""
        self._orders += 1
        self.state = machine.ask(self.plan, self.state, self.now_ms, Order(act=act, mark=str(self._orders)))
        self._write(f"order: {act}")

    def minutes(self, count: int, attempts: int, failed: int = 0, *, what: str = "", **seen: object) -> None:
        """Let time pass with so many requests at the candidate in each minute."""
        counts = ArmCounts(attempts=attempts, failed=failed, nano_usd=1_000 * (attempts - failed))
        stable = ArmCounts(attempts=1_000, failed=1, nano_usd=999_000)
        self.observe(
            count, Tally(candidate=counts, stable=stable), what or f"{attempts} requests, {failed} failed", **seen
        )

    def observe(self, count: int, counted: Tally, what: str, **seen: object) -> None:
        """Let time pass and the same be seen in each minute."""
        for _ in range(count):
            self.now_ms += MINUTE
            observation = replace(Observation(counted=counted, ejections_read_ms=self.now_ms), **seen)  # type: ignore[arg-type]
            self.state = machine.step(self.plan, self.state, observation, self.now_ms)
            self._write(what)

    def _write(self, what: str) -> None:
        assert self.state
        self.lines.append(f"{self.now_ms // MINUTE:>3} min  {what:<34}  {rollout.sentence(self.plan, self.state)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What it is about, and how it goes."""

    name: str
    about: str
    play: Callable[[Play], None]


def text(story: Story) -> str:
    """Play it; return its page."""
    played = Play()
    story.play(played)
    return "\n".join((story.about, "", *played.lines, ""))


def _good(on: Play) -> None:
    on.git(NEW)
    on.minutes(2, 60)
    on.minutes(3, 80)
    on.minutes(2, 500)
    on.minutes(1, 500)


def _failing(on: Play) -> None:
    on.git(NEW)
    on.minutes(2, 60)
    on.minutes(2, 60, 4)
    on.git(OLD)


def _seldom(on: Play) -> None:
    on.git(NEW)
    on.minutes(4, 10)
    on.minutes(1, 80)
    on.minutes(1, 0)


def _hands(on: Play) -> None:
    on.git(BY_HAND)
    on.minutes(2, 80)
    on.hand(Act.PAUSE)
    on.minutes(1, 80)
    on.hand(Act.RESUME)
    on.hand(Act.PROMOTE)
    on.hand(Act.PROMOTE)
    on.hand(Act.UNDO)
    on.hand(Act.RETRY)
    on.hand(Act.ABORT)


def _edited(on: Play) -> None:
    on.git(NEW)
    on.minutes(2, 60)
    on.git(THIRD)
    on.minutes(1, 60)
    on.git(OLD)
    on.git(NEW)


def _down(on: Play) -> None:
    on.git(NEW)
    on.minutes(2, 60)
    on.minutes(2, 9, 9, what="endpoint down, 9 failed", candidate_down=True)
    on.minutes(1, 80, what="up again, 80 requests")
    on.minutes(1, 0, what="ejected, no probe yet", candidate_ejected=True, probes=True)
    probed = on.now_ms + MINUTE
    on.minutes(1, 0, what="ejected, a probe is good", candidate_ejected=True, probes=True, probed_ms=probed)


def _unread(on: Play) -> None:
    on.git(NEW)
    on.minutes(1, 120)
    on.minutes(2, 0, what="a gateway is not read", problem="us-1: nobody answers")
    on.minutes(1, 60)


def _gone(on: Play) -> None:
    on.git(NEW)
    on.minutes(2, 60)
    on.git(replace(NEW, reachable=False), "p/new leaves the catalogue")
    on.git(NEW, "p/new is back")
    on.hand(Act.RETRY)


def _stable_gone(on: Play) -> None:
    on.git(NEW)
    on.minutes(3, 80)
    gone = replace(NEW, stable_reachable=False)
    on.git(gone, "p/old leaves the catalogue")
    on.minutes(4, 500)
    on.git(NEW, "p/old is back")
    on.minutes(4, 80)
    on.git(gone, "p/old leaves the catalogue")
    on.hand(Act.PROMOTE)
    on.hand(Act.PROMOTE)


def _worse(on: Play) -> None:
    on.git(NEW)
    cut = ArmCounts(attempts=100, unended=15, finish_reasons={"stop": 85})
    stable = ArmCounts(attempts=1_000, unended=1, finish_reasons={"stop": 999})
    on.observe(2, Tally(candidate=cut, stable=stable), "100 copies, 15 without an end")


def _measured(on: Play) -> None:
    on.git(MEASURED)
    on.minutes(1, 120, what="120 requests, thumbs 0.95", measured={"thumbs": 0.95})
    on.minutes(1, 120, what="120 requests, thumbs unknown", measured={"thumbs": None})
    on.minutes(1, 120, what="120 requests, no Prometheus", unmeasured="`thumbs`: http://p: no answer within 1 s")
    on.minutes(1, 120, what="120 requests, thumbs 0.95", measured={"thumbs": 0.95})
    on.minutes(1, 120, what="120 requests, thumbs 0.5", measured={"thumbs": 0.5})


STORIES = (
    Story(name="good", about="A good candidate goes through copies and two shares, and is stable.", play=_good),
    Story(name="failing", about="A candidate that fails more than it may is sent back.", play=_failing),
    Story(name="seldom-called", about="Too few requests pause a step, and it goes on by itself.", play=_seldom),
    Story(name="by-hand", about="Steps without a hold, and every order that a person has.", play=_hands),
    Story(name="edited", about="An edit on the way begins anew from stable; the way back is at once.", play=_edited),
    Story(name="endpoint-down", about="Down is no fault of the model; ejected while it is up is.", play=_down),
    Story(name="unread-gateway", about="Who cannot count decides nothing.", play=_unread),
    Story(name="candidate-gone", about="A candidate that exists no more is aborted.", play=_gone),
    Story(
        name="stable-gone", about="Without a stable target nothing is judged; a person may promote.", play=_stable_gone
    ),
    Story(name="worse-copies", about="Copies that end without saying why, where stable's do not.", play=_worse),
    Story(name="measured-elsewhere", about="A Prometheus can hold a step, and fail it.", play=_measured),
)
