"""Options and profiles of the whole suite."""

import signal

import pytest
from hypothesis import HealthCheck, settings

from documents import census

settings.register_profile(
    "default",
    derandomize=True,  # the same examples in every run: a red build is a red build
    deadline=None,  # the machine may be busy
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", parent=settings.get_profile("default"), derandomize=False, max_examples=2_000)
settings.load_profile("default")


# Whoever runs this in the background of a script has Ctrl-C ignored, and so would all that tests start and end by it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write what comes out into tests/golden")


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
