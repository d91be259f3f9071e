"""The errors that Fairlead raises on purpose; anything else is a bug and surfaces.

    FairleadError
    ├── InstallationError    the installation file cannot be used (the command ends with exit code 1)
    ├── TooLargeError        a rendered file does not fit where it has to go
    ├── EnvoyError           an Envoy process did not start, or refused its configuration
    ├── ClusterError         the Kubernetes API refused something, or does not answer
    ├── StateError           the state folder cannot be used (locked by another process, not writable)
    ├── BudgetConfigurationError  the budget server's configuration cannot be used; it keeps the one that it has
    ├── BudgetServerError    a budget server did not start, or does not answer
    ├── RecorderError        a recorder's folder cannot be used, or it did not start
    └── AnswerError          what came over a wire is not what was asked for

A user's mistake in a resource is never an exception: it is a `fairlead.api.problem.Problem` on that object.
"""


class FairleadError(Exception):
    """Base of all errors that carry a message for a person."""


class InstallationError(FairleadError):
    """The installation file is missing, unreadable or wrong."""


class TooLargeError(FairleadError):
    """A rendered file is larger than its place allows (a ConfigMap holds 1 MiB)."""


class EnvoyError(FairleadError):
    """An Envoy process did not start, or refused what it was given."""


class ClusterError(FairleadError):
    """The Kubernetes API refused something, or does not answer; `fairlead.adapters.kube` has its kinds."""


class NoClusterError(ClusterError):
    """Nothing says which cluster is meant, or what says it cannot be read."""


class StateError(FairleadError):
    """The state folder of `fairlead up` cannot be used."""


class BudgetConfigurationError(FairleadError):
    """The budget server's configuration is unreadable or contradicts itself."""


class BudgetServerError(FairleadError):
    """A budget server did not start, or does not answer."""


class RecorderError(FairleadError):
    """A recorder's folder cannot be used, or the recorder did not start."""


class AnswerError(FairleadError):
    """What came over a wire cannot be read; whoever asked counts it and goes on."""
