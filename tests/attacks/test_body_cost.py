"""No body that is let in costs its worker much more than a plain one of the same size: CPU time of a real Envoy."""

import http.client
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from echo import Echo
from filter_gateway import DIRECTORY, KEY, bootstrap
from gateway import EnvoyProcess

from fairlead.envoy import directory

pytestmark = pytest.mark.envoy

BYTES = 4 << 20
TIMES = 6
"""What the worst may cost of a plain body; it is four. Without bounds it was 30."""
HEAD = '{"model":"chat","messages":[{"role":"user","content":"hi"}],'
MOST_OF_ALL, MOST_OF_OBJECT = 99_990, 990
"""Just below what is refused: members of all objects, or containers; members of an object that is read."""


def filled(unit: str, *, most: int = BYTES, rest: str = "") -> str:
    """Repeat a value in a list, then another one, until the body is full."""
    count = min(most, (BYTES - 300) // (len(unit.encode()) + 1))
    left = (BYTES - 300 - count * (len(unit.encode()) + 1)) // (len(rest) + 1) if rest else 0
    return HEAD + '"x":[' + ",".join([unit] * count + [rest] * left) + "]}"


def text(unit: str) -> str:
    return HEAD + '"x":"' + unit * ((BYTES - 300) // len(unit.encode())) + '"}'


def twice(start: str) -> str:
    return HEAD + start + ",".join(['"\\""'] * ((BYTES - 300) // 5)) + "]}]}"


def keyed(key: Callable[[int], str], count: int) -> str:
    """Write members of the body itself until there are so many of them, or the body is full."""
    members, left = [], BYTES - 300
    for number in range(count):
        members.append(f'"{key(number)}":1')
        left -= len(members[-1].encode()) + 1
        if left < 0:
            break
    return HEAD + ",".join(members) + "}"


def escaped(name: str, width: int) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in name.rjust(width, "m"))


LET_IN: Mapping[str, Callable[[], str]] = {
    "numbers": lambda: filled("1"),
    "strings": lambda: filled('""'),
    "strings of one letter": lambda: filled('"a"'),
    "strings of one escape": lambda: filled('"\\""'),
    "objects with an id, then strings": lambda: filled('{"id":1}', most=MOST_OF_ALL, rest='"a"'),
    "objects with what is the caller's own": lambda: filled('{"input":1}', most=MOST_OF_ALL, rest='"a"'),
    "tools, which are looked at again": lambda: twice('"tools":[{"type":"function","x":['),
    "items, which are looked at again": lambda: twice('"input":[{"id":"x","content":"a","x":['),
    "objects to the limit, then numbers": lambda: filled('{"a":1}', most=MOST_OF_ALL, rest="1"),
    "arrays to the limit, then numbers": lambda: filled("[]", most=MOST_OF_ALL, rest="1"),
    "deep arrays to the limit": lambda: filled("[" * 120 + "]" * 120, most=MOST_OF_ALL // 120, rest="1"),
    "escapes": lambda: text("\\n"),
    "escapes of four digits": lambda: text("\\u00e9"),
    "letters and others by turns": lambda: text("éa"),
    "keys in escapes": lambda: keyed(lambda number: escaped(f"{number}x", 700), MOST_OF_OBJECT),
    "keys in disguise": lambda: keyed(lambda number: "m" + "\u212a" * 1300 + str(number), MOST_OF_OBJECT),
    "a prompt of numbers": lambda: HEAD + '"prompt":[' + "1," * (BYTES // 2 - 200) + "1]}",
    "a prompt of prompts": lambda: (
        HEAD + '"prompt":[' + '"' + "a" * 400 + '",' + ('"' + "a" * 400 + '",') * 9_900 + '""]}'
    ),
}
REFUSED: Mapping[str, Callable[[], str]] = {
    "keys in escapes": lambda: keyed(lambda number: escaped(f"{number}x", 21), MOST_OF_ALL),
    "arrays": lambda: filled("[]"),
    "deep arrays": lambda: filled("[" * 120 + "]" * 120),
    "prompts": lambda: HEAD + '"prompt":[' + '"",' * (BYTES // 3 - 200) + '""]}',
    "options of a stream": lambda: HEAD + '"stream":true,"stream_options":{"x":[' + "1," * (BYTES // 2 - 200) + "1]}}",
}


class Measured:
    """An Envoy whose time on the processors is read after each request."""

    def __init__(self, envoy: EnvoyProcess) -> None:
        self._envoy = envoy
        self._port = envoy.port("in")

    def cost(self, body: bytes) -> tuple[int, float]:
        """Return the status of a body and its milliseconds of CPU: the least of three, machines are busy."""
        found = []
        for _ in range(3):
            before = self._spent_ns()
            status = self._post(body)
            found.append((status, (self._spent_ns() - before) / 1e6))
        return min(found, key=lambda one: one[1])

    def _spent_ns(self) -> int:
        tasks = Path(f"/proc/{self._envoy.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def _post(self, body: bytes) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
            path = "/v1/responses" if b'"input":' in body[:200] else "/v1/completions"
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()


@pytest.fixture(scope="module")
def measured() -> Iterator[Measured]:
    """Run a gateway at which a budget counts everything: then all numbers are looked at."""
    budgets = {directory.BUDGETS: directory.ASKED, "b:team/alice": "r *"}
    with (
        Echo(short=True) as echo,
        EnvoyProcess(bootstrap(echo_port=echo.port, directory={**DIRECTORY, **budgets})) as envoy,
    ):
        yield Measured(envoy)


@pytest.fixture(scope="module")
def plain_ms(measured: Measured) -> float:
    status, cost_ms = measured.cost(text("a").encode())
    assert status == 200
    return cost_ms


@pytest.mark.parametrize("name", LET_IN)
def test_what_is_let_in_costs_little_more_than_a_plain_body(measured: Measured, plain_ms: float, name: str) -> None:
    body = LET_IN[name]().encode()
    assert 0.9 * BYTES < len(body) < 1.1 * BYTES
    status, cost_ms = measured.cost(body)
    assert status == 200
    assert cost_ms < TIMES * plain_ms, (cost_ms, plain_ms)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_costs_no_more(measured: Measured, plain_ms: float, name: str) -> None:
    status, cost_ms = measured.cost(REFUSED[name]().encode())
    assert status == 400
    assert cost_ms < TIMES * plain_ms, (cost_ms, plain_ms)
