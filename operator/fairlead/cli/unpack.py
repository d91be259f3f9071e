"""`fairlead unpack`: what a container beside Envoy runs where ConfigMaps carry a gateway's configuration in gzip."""

import json
import signal
import sys
import threading
from pathlib import Path

import click

from fairlead.adapters.unpacked import Unpacked

LOOK_S = 0.1
"""How often the mount is looked at: one link is read, and nothing else while it leads where it led."""


@click.command()
@click.argument("mount", type=click.Path(path_type=Path, file_okay=False))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--there", is_flag=True, help="Only tell, by the exit code, whether FOLDER has what MOUNT has.")
def command(mount: Path, folder: Path, *, there: bool) -> None:
    """Keep FOLDER what a kubelet brings to MOUNT in gzip, until SIGTERM. A damaged version is said, and not taken."""
    unpacked = Unpacked(mount, folder)
    if there:
        sys.exit(0 if unpacked.is_current() else 1)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    seen = said = ""
    while not stopped.wait(LOOK_S):
        trouble = _renewed(unpacked)
        if trouble and trouble == seen != said:  # twice: what a kubelet replaces in this moment is no trouble
            said = trouble
            _say("warning", "not unpacked", said)
        seen, said = trouble, said if trouble else ""


def _renewed(unpacked: Unpacked) -> str:
    """Look once; return what is in the way, empty if nothing is."""
    try:
        if unpacked.renew():
            _say("info", "unpacked", "the configuration")
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def _say(level: str, event: str, what: str) -> None:
    click.echo(json.dumps({"level": level, "event": event, "what": what}))
