"""The `fairlead` command: one module per command, imported when it is called and not before."""

import os

from fairlead.cli.lazy import LazyGroup

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
"""Nobody's plugin reads what is validated; to look for them takes a twentieth of a command's start."""

main = LazyGroup(
    name="fairlead",
    help="Multi-region LLM routing on Envoy.",
    commands_at={
        "init": ("fairlead.cli.init:command", "Write files to begin with: what the environment leads to."),
        "check": ("fairlead.cli.check:command", "Say what is wrong with manifests, object by object."),
        "explain": ("fairlead.cli.explain:command", "Say which rule, ladder and price a request meets."),
        "classify": ("fairlead.cli.classify:command", "Say how well a route's classifier sorts labelled texts."),
        "render": ("fairlead.cli.render:command", "Write the files that each region's Envoy reads."),
        "up": ("fairlead.cli.up:command", "Serve manifests from this machine: one Envoy per region."),
        "status": ("fairlead.cli.status:command", "Show what each region serves."),
        "operator": ("fairlead.cli.operator:command", "Keep a cluster's gateways what the resources say."),
        "logs": ("fairlead.cli.logs:command", "Show requests, attempt by attempt."),
        "budgets": ("fairlead.cli.budgets:command", "Show what everybody spent, and what is left."),
        "kill": ("fairlead.cli.kill:command", "Stop consumers at once."),
        "drain": ("fairlead.cli.drain:command", "Send the traffic of an endpoint or a region elsewhere, for a time."),
        "rehearse": ("fairlead.cli.rehearse:command", "Drain a region for a drill, watch its clients, keep a report."),
        "rollout": ("fairlead.cli.rollout:command", "Say how rollouts stand, and steer them."),
        "refresh": ("fairlead.cli.refresh:command", "Let gateways take a rotated credential now."),
        "budget-server": (
            "fairlead.cli.budget_server:command",
            "Answer gateways' budget checks, and book what was spent.",
        ),
        "console": ("fairlead.cli.console:command", "Show it all as a page in the browser, live."),
        "recorder": ("fairlead.cli.recorder:command", "Keep pairs of answers for people to look at, and show them."),
        "unpack": ("fairlead.cli.unpack:command", "Unpack a gateway's configuration in its pod, as long as it runs."),
        "crds": ("fairlead.cli.crds:command", "Write the CustomResourceDefinitions."),
        "demo": ("fairlead.demo.command:demo", "Show all of it on this machine, with real inference servers."),
    },
    extras={
        "init": ("init",),
        "check": ("standalone", "init"),
        "classify": ("standalone",),
        "up": ("standalone",),
        "status": ("standalone", "operator"),
        "operator": ("operator",),
        "logs": ("standalone", "operator"),
        "budgets": ("standalone", "operator"),
        "kill": ("standalone", "operator"),
        "drain": ("standalone", "operator"),
        "rehearse": ("standalone",),
        "rollout": ("standalone",),
        "refresh": ("operator",),
        "console": ("standalone", "operator"),
        "budget-server": ("budget",),
        "recorder": ("recorder",),
        "demo": ("demo",),
    },
)
"""What `fairlead` starts."""


def plugin() -> None:
    """Do the same as `kubectl fairlead`: kubectl starts what is called `kubectl-fairlead` on PATH."""
    main(prog_name="kubectl fairlead")
