"""Options and profiles of the whole suite."""

import gc
import os
import signal
from itertools import zip_longest

import pytest
from hypothesis import HealthCheck, settings

from documents import census

gc.disable()  # until all is collected: nearly nothing of what is made until then is ever given back

settings.register_profile(
    "default",
    derandomize=True,  # the same examples in every run: a red build is a red build
    deadline=None,  # the machine may be busy
    max_examples=25,  # `make fuzz` tries more
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("fuzz", parent=settings.get_profile("default"), derandomize=False, max_examples=100)
settings.register_profile("explore", parent=settings.get_profile("default"), derandomize=False, max_examples=2_000)
settings.load_profile("default")


# Whoever runs this in the background of a script has Ctrl-C ignored, and so would all that tests start and end by it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write what comes out into tests/golden")


COMPUTING = ("tests/crd/", "tests/golden/", "tests/properties/", "tests/rules/", "tests/unit/")
"""Where tests compute. Those of other folders wait half of their time, for processes, timers and probes."""
FIRST = ("tests/demo/", "tests/standalone/")
"""Of the others: where single files take longest."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give workers what waits and what computes by turns, so that cores are busy all along; the longest at first.

    Files stay whole. What computes lasts until the end: there are many such files, all of them short, and so no worker
    ends long after the others.
    """
    if not hasattr(config, "workerinput"):
        return
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)
    computing = [tests for file, tests in files.items() if file.startswith(COMPUTING)]
    waiting = [tests for file, tests in files.items() if not file.startswith(COMPUTING)]
    waiting.sort(key=lambda tests: not tests[0].nodeid.startswith(FIRST))
    each = max(1, len(computing) * 4 // 5 // max(1, len(waiting)))
    turns = zip_longest(waiting, *(computing[start::each] for start in range(each)), fillvalue=())
    items[:] = [item for turn in turns for tests in turn for item in tests]


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what stays for good: it is most of what there is, and looked at each time."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    failed = [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]
    if any("inotify" in str(report.longrepr) + report.capstdout for report in failed):
        terminalreporter.section("inotify")
        terminalreporter.line(
            "This user has no inotify instance left, which each Envoy needs some of: end what else runs here, or"
            " `sudo sysctl fs.inotify.max_user_instances=1024`."
        )
    if any("test_documents.py" in report.nodeid for report in terminalreporter.getreports("passed")):
        terminalreporter.section("documentation")
        terminalreporter.line(census())
    fuzzed = any("fuzz" in report.nodeid for report in terminalreporter.getreports("passed"))
    if fuzzed and "FAIRLEAD_FUZZ_COUNT" not in os.environ:
        terminalreporter.section("fuzzing")
        terminalreporter.line("5,000 bodies for each of three parsers here; `make fuzz` sends a million.")
