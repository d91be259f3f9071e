"""A classifier's breaker, by the gateway's own Lua in LuaJIT and by a clock of the test's."""

from typing import Any

import pytest
from lupa import luajit21

from fairlead.envoy import chunk, request_filter

CLASSIFIER = "!classifier/127.0.0.1:80 - 300 0 /sort code,simple -"
"""As the directory has it; it is waited for 300 ms."""
OPEN_S, TRIAL_S = 30, 2.3
"""For how long nobody is asked; how long the one that is asked then is waited for, at most."""
CATEGORY = chunk.parts("request", ("category",))
STAGE = f"""
local question = {{ classifier = classifier_of("{CLASSIFIER}"), text = "hello", asked = "team/chat" }}
local headers = {{ get = function() return "id" end }}
local h = {{ headers = function() return headers end }}
h.httpCall = function()
  asked = asked + 1
  coroutine.yield()
  return {{ [":status"] = status }}, status == "200" and '{{"category":"code"}}' or ""
end
function begin()
  local one = coroutine.create(function()
    local _, how = ask(h, question, "team/a")
    return how
  end)
  local _, how = coroutine.resume(one)
  return {{ one = one, how = how }}
end
function finish(begun)
  local _, how = coroutine.resume(begun.one)
  return how
end
"""


class Worker:
    """One worker of a gateway, and the classifier behind it."""

    def __init__(self) -> None:
        self._lua = luajit21.LuaRuntime()
        self._lua.execute("clock, asked, status = 1000, 0, '200' os.time = function() return clock end")
        source = request_filter.source()
        assert source.count(CATEGORY) == 1
        self._lua.execute(source.replace(CATEGORY, CATEGORY + STAGE))
        self._globals = self._lua.globals()

    def begin(self) -> Any:
        """Let a request need a category; it waits for the classifier, or knows how that came out."""
        return self._globals.begin()

    def end(self, begun: Any, status: int = 200) -> str:
        """Let the classifier answer."""
        self._globals.status = str(status)
        return str(self._globals.finish(begun))

    def ask(self, status: int = 200) -> str:
        begun = self.begin()
        return str(begun.how) if begun.how else self.end(begun, status)

    @property
    def asked(self) -> int:
        return int(self._globals.asked)

    def later(self, seconds: float) -> None:
        self._globals.clock += seconds


@pytest.fixture
def broken() -> Worker:
    """Five failures in a row have opened it."""
    worker = Worker()
    assert [worker.ask(503) for _ in range(5)] == ["unavailable"] * 5
    return worker


def test_four_failures_in_a_row_are_not_enough() -> None:
    worker = Worker()
    for _ in range(3):
        assert [worker.ask(503) for _ in range(4)] == ["unavailable"] * 4
        assert worker.ask() == "asked"


def test_nobody_is_asked_until_its_pause_is_over(broken: Worker) -> None:
    broken.later(OPEN_S - 1)
    assert [broken.ask() for _ in range(3)] == ["open"] * 3
    assert broken.asked == 5
    broken.later(1)
    assert broken.ask() == "asked"
    assert [broken.ask() for _ in range(3)] == ["asked"] * 3, "one answer closes it"


def test_after_a_pause_one_request_tries_and_others_do_not_wait_for_it(broken: Worker) -> None:
    broken.later(OPEN_S)
    trial = broken.begin()
    assert [broken.ask() for _ in range(3)] == ["open"] * 3
    assert broken.asked == 6
    assert broken.end(trial) == "asked"
    assert broken.ask() == "asked"


def test_a_trial_that_fails_begins_another_pause(broken: Worker) -> None:
    for _ in range(3):
        broken.later(OPEN_S)
        assert broken.ask(504) == "timeout"
        broken.later(OPEN_S - 1)
        assert broken.ask() == "open"
        broken.later(1)
        assert broken.ask(503) == "unavailable"
    broken.later(OPEN_S)
    assert broken.ask() == "asked"
    assert broken.ask(503) == "unavailable"
    assert broken.ask() == "asked", "after an answer it takes five again"


def test_a_trial_that_never_ends_gives_way_to_the_next(broken: Worker) -> None:
    """Its client may be gone, and nobody says so."""
    broken.later(OPEN_S)
    assert broken.begin().how is None
    broken.later(TRIAL_S - 1)
    assert broken.ask() == "open"
    broken.later(1)
    assert broken.ask() == "asked"


def test_a_text_that_is_refused_is_no_failure_and_no_answer(broken: Worker) -> None:
    broken.later(OPEN_S)
    assert broken.ask(400) == "refused"
    assert broken.ask(503) == "unavailable", "the next one tries"
    assert broken.ask() == "open"
