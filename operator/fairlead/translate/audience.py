"""Who sees a route: label selectors as Kubernetes reads them, and the part of consumers that a route answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from fairlead.api.selector import Consumers, From, LabelOperator, LabelRequirement, LabelSelector, Namespaces


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Tell whether labels fulfil everything that a selector asks; `NotIn` holds for an absent label."""
    return all(labels.get(key) == value for key, value in selector.match_labels.items()) and all(
        _holds(requirement, labels) for requirement in selector.match_expressions
    )


def text(selector: LabelSelector) -> str:
    """Write a selector in the form of `kubectl -l`, sorted: equal text means the same selection."""
    parts = [f"{key}={value}" for key, value in selector.match_labels.items()]
    parts += [_requirement_text(requirement) for requirement in selector.match_expressions]
    return ",".join(sorted(parts))


def includes(namespaces: Namespaces, *, own: str, namespace: str, labels: Mapping[str, str]) -> bool:
    """Tell whether a choice of namespaces, made by an object in namespace `own`, includes a namespace."""
    if namespaces.from_ is From.ALL:
        return True
    if namespaces.from_ is From.SAME:
        return namespace == own
    return namespaces.selector is not None and matches(namespaces.selector, labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What decides which routes a consumer sees."""

    namespace: str
    name: str
    labels: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """The consumers that a route answers."""

    own: str
    """Namespace of the route."""
    consumers: Consumers

    @property
    def shared(self) -> bool:
        """Whether consumers of other namespaces are meant."""
        return self.consumers.namespaces.from_ is not From.SAME

    @property
    def picks_consumers(self) -> bool:
        """Whether only some consumers of a namespace are meant: such a route beats one for all of them."""
        selector = self.consumers.selector
        return self.consumers.names is not None or (selector is not None and bool(text(selector)))

    @property
    def picks_namespaces(self) -> bool:
        """Whether namespaces are chosen by their labels: such a shared route beats one for all namespaces."""
        return self.consumers.namespaces.from_ is From.SELECTOR

    def within_namespace(self) -> str:
        """Say which consumers of one namespace are meant, the same text for the same choice; empty = all."""
        if self.consumers.names is not None:
            return "names:" + ",".join(sorted(self.consumers.names))
        return text(self.consumers.selector) if self.consumers.selector is not None else ""

    def among_namespaces(self) -> str:
        """Say which consumers of the other namespaces are meant, the same text for the same choice; empty = all."""
        selector = self.consumers.namespaces.selector
        parts = [f"namespace:{text(selector)}"] if self.picks_namespaces and selector is not None else []
        return ";".join([*parts, *filter(None, [self.within_namespace()])])

    def includes_namespace(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Tell whether consumers of a namespace are meant, all or some."""
        return includes(self.consumers.namespaces, own=self.own, namespace=namespace, labels=labels)

    def includes(self, caller: Caller, namespace_labels: Mapping[str, str]) -> bool:
        """Tell whether the route answers this consumer."""
        if not self.includes_namespace(caller.namespace, namespace_labels):
            return False
        if self.consumers.names is not None:
            return caller.name in self.consumers.names
        return self.consumers.selector is None or matches(self.consumers.selector, caller.labels)


def _holds(requirement: LabelRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case LabelOperator.IN:
            return value in requirement.values
        case LabelOperator.NOT_IN:
            return value not in requirement.values
        case LabelOperator.EXISTS:
            return value is not None
        case LabelOperator.DOES_NOT_EXIST:
            return value is None


def _requirement_text(requirement: LabelRequirement) -> str:
    values = ",".join(sorted(requirement.values))
    match requirement.operator:
        case LabelOperator.IN:
            return f"{requirement.key} in ({values})"
        case LabelOperator.NOT_IN:
            return f"{requirement.key} notin ({values})"
        case LabelOperator.EXISTS:
            return requirement.key
        case LabelOperator.DOES_NOT_EXIST:
            return f"!{requirement.key}"
