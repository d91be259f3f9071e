"""The `fairlead` command: one module per command, imported when it is called and not before."""

from fairlead.cli.lazy import LazyGroup

main = LazyGroup(
    name="fairlead",
    help="Multi-region LLM routing on Envoy.",
    commands_at={
        "check": ("fairlead.cli.check:command", "Say what is wrong with manifests, object by object."),
        "render": ("fairlead.cli.render:command", "Write the files that each region's Envoy reads."),
        "up": ("fairlead.cli.up:command", "Serve manifests from this machine: one Envoy per region."),
        "status": ("fairlead.cli.status:command", "Show what each region serves."),
        "operator": ("fairlead.cli.operator:command", "Keep a cluster's gateways what the resources say."),
        "budgets": ("fairlead.cli.budgets:command", "Show what everybody spent, and what is left."),
        "kill": ("fairlead.cli.kill:command", "Stop consumers at once."),
        "refresh": ("fairlead.cli.refresh:command", "Let gateways take a rotated credential now."),
        "budget-server": (
            "fairlead.cli.budget_server:command",
            "Answer gateways' budget checks, and book what was spent.",
        ),
        "crds": ("fairlead.cli.crds:command", "Write the CustomResourceDefinitions."),
        "demo": ("fairlead.demo.command:demo", "Show all of it on this machine, with real inference servers."),
    },
    extras={
        "up": ("standalone",),
        "status": ("standalone", "operator"),
        "operator": ("operator",),
        "budgets": ("standalone", "operator"),
        "kill": ("standalone", "operator"),
        "refresh": ("operator",),
        "budget-server": ("budget",),
        "demo": ("demo",),
    },
)
"""What `fairlead` starts."""


def plugin() -> None:
    """Do the same as `kubectl fairlead`: kubectl starts what is called `kubectl-fairlead` on PATH."""
    main(prog_name="kubectl fairlead")
