"""Which setting of Linux says how many file events there are for a user, where one who needs them was refused.

inotify(7): beyond `max_user_instances` a process gets EMFILE, as for files; beyond `max_user_watches` ENOSPC, as on a
full disk. Neither error names what is full.
"""

import re

INSTANCES, WATCHES = "fs.inotify.max_user_instances", "fs.inotify.max_user_watches"
ENOUGH = {INSTANCES: 1024, WATCHES: 524_288}
"""What has room for many gateways on one machine."""
_SIGNS = (
    # Envoy's assertion, the system call as libraries name it, and what `watchfiles` says.
    (INSTANCES, re.compile(r"inotify_fd_|inotify_init|recommended watcher: .*\(os error 24\)")),
    (WATCHES, re.compile(r"watch limit reached|inotify_add_watch|filesystem watch .*No space left")),
)


def advice(words: str) -> str:
    """Return what to set, by an error's words; empty where it is about something else."""
    setting = next((name for name, sign in _SIGNS if sign.search(words)), "")
    return f"raise {setting}: `sudo sysctl {setting}={ENOUGH[setting]}`" if setting else ""
