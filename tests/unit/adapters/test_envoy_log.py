"""Logs as Envoy 1.40 wrote them when it was started without what it needs."""

import pytest

from fairlead.adapters import envoy_log

AT = "[2026-11-21 13:00:00.1][7]"
NOTHING = f"{AT}[warning][main] [s.cc:1] nothing that matters\n"
REJECTED = f"{AT}[warning][config] [f.cc:8] update rejected: Proto {{\n  a\n}}\n: too bad\n"
ASSERTION = f"{AT}[critical][assert] [event/scheduler.cc:35] assert failure: event_base != nullptr"
PIPE = "[warn] evutil_make_internal_pipe_: pipe: Too many open files\n[warn] event_base_new_with_config: Unable\n"
MEMORY = "22488 external/tcmalloc+/tcmalloc/arena.cc:59] CHECK in Alloc: FATAL ERROR: Out of memory trying\n"
STACK = "".join(
    f"{AT}[error][envoy_bug] [./source/common/common/assert.h:66] #{n} UNKNOWN [0x55eb061b422c]\n" for n in range(16)
)
BACKTRACE = f"{AT}[critical][backtrace] [./source/server/backtrace.h:167] #0: [0x7f1afb099050]"
INOTIFY = (
    f"{AT}[critical][assert] [source/common/filesystem/inotify/watcher_impl.cc:25] assert failure: inotify_fd_ >= 0."
    " Details: Consider increasing value of fs.inotify.max_user_watches and/or fs.inotify.max_user_instances via sysctl"
)
BIND = (
    f"{AT}[error][config] [l.cc:1405] listener 'x' failed to bind or apply socket options:"
    " cannot bind '127.0.0.1:9911': Address already in use"
)
CAN = f"{AT}[critical][main] [source/server/server.cc:449]"


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("", ""),
        (NOTHING, ""),
        (f"{CAN} error: x\n", f"{CAN} error: x"),
        (f"{ASSERTION}\n{STACK}{BACKTRACE}", ASSERTION),
        (REJECTED + NOTHING, f"{AT}[warning][config] [f.cc:8] update rejected: Proto {{ a }} : too bad"),
        (f"{AT}[error][config] [f.cc:8] {'x' * 999}: too bad\n", f"... {'x' * 391}: too bad"),
    ],
)
def test_the_heaviest_complaint_is_shown_in_one_line(log: str, words: str) -> None:
    assert envoy_log.cause(log) == words


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (f"{INOTIFY}\n{STACK}{BACKTRACE}", "max_user_instances"),
        (f"{PIPE}{ASSERTION}\n{STACK}", "pipe: Too many open files"),
        (f"{STACK}inotify_init1: Too many open files\n{CAN} error initializing configuration\n", "inotify_init1"),
        (f"{BIND}\n{CAN} error initializing config 'x'\n{AT}[critical][main] exiting\n", "Address already in use"),
        (f"{MEMORY}{AT}[critical][main] [s.cc:9] cannot go on\n", "Out of memory"),
        (f"{AT}[error][file] [f.cc:2] No space left on device\n{REJECTED}", "No space left on device"),
    ],
)
def test_what_the_machine_lacks_is_the_cause_whatever_follows(log: str, words: str) -> None:
    assert words in envoy_log.cause(log)


@pytest.mark.parametrize("log", [f"{INOTIFY}\n{STACK}", "inotify_init1: Too many open files\n"])
def test_who_has_no_file_events_left_is_told_the_setting(log: str) -> None:
    assert "; raise fs.inotify.max_user_instances: `sudo sysctl " in envoy_log.cause(log)
    assert "sysctl" not in envoy_log.cause(PIPE)


def test_a_long_complaint_keeps_what_the_machine_lacks() -> None:
    said = envoy_log.cause(f"{CAN} Permission denied: {'y' * 2000}\n")
    assert "Permission denied" in said
    assert len(said) < 500
