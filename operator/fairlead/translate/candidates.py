"""Which models may answer a route: the primary, its fallbacks, the shadow, each checked against its provider."""

from collections.abc import Mapping
from dataclasses import dataclass

from fairlead import ir
from fairlead.api.conditions import Reason
from fairlead.api.route import BaselineTarget, FallbackTarget, ModelRouteSpec, ShadowTarget
from fairlead.ir import word
from fairlead.translate.diagnostics import Diagnostics
from fairlead.translate.providers import Provider
from fairlead.translate.references import References
from fairlead.translate.suggestion import listed, meant


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReference:
    """A model of a provider's catalogue that at least one endpoint serves."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What may answer one name, in order: the primary, then each fallback."""

    kind: ir.ModelKind
    models: tuple[ModelReference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Follows the targets of one route."""

    namespace: str
    references: References
    providers: Mapping[str, Provider]
    diagnostics: Diagnostics

    def candidates(self, spec: ModelRouteSpec) -> Candidates | None:
        """Return what answers a route whose names share one model; None when nothing can."""
        if spec.primary.model is None:
            return None
        models = []
        kind = None
        primary = self._candidate(spec.primary.provider, spec.primary.model, "spec.primary")
        if primary is not None:
            models.append(primary)
            kind = self._kind(primary)
        for position, fallback in enumerate(spec.fallbacks):
            path = f"spec.fallbacks[{position}]"
            candidate = self._candidate(fallback.provider, fallback.model or spec.primary.model, path)
            if candidate is None:
                continue
            kind = kind or self._kind(candidate)
            if candidate in models:
                self.diagnostics.warn(
                    path, f"got `{candidate.provider}/{candidate.model}` once more, want each model once"
                )
            elif self._may_replace(spec.primary.model, kind, candidate, path):
                models.append(candidate)
        return None if kind is None or not models else Candidates(kind=kind, models=tuple(models))

    def candidates_per_name(self, spec: ModelRouteSpec, names: tuple[str, ...]) -> Mapping[str, Candidates]:
        """Return what answers each name of a wildcard route: the model of that name at the primary's provider first."""
        primary = self.providers.get(spec.primary.provider)
        if primary is None or not names:
            return {}
        kinds = {name: primary.kinds[name] for name in names}
        models = {name: [ModelReference(provider=primary.name, model=name)] for name in names}
        for position, fallback in enumerate(spec.fallbacks):
            path = f"spec.fallbacks[{position}]"
            fitting = self._fallback_per_name(fallback, kinds, path)
            fresh = {name: candidate for name, candidate in fitting.items() if candidate not in models[name]}
            if fitting and not fresh:
                self.diagnostics.warn(path, "got what the primary or another fallback is already, want each model once")
            for name, candidate in fresh.items():
                models[name].append(candidate)
        return {name: Candidates(kind=kinds[name], models=tuple(models[name])) for name in names}

    def catalogue(self, spec: ModelRouteSpec, candidates: Candidates | None) -> tuple[str, ...]:
        """Return the names that `*` stands for: what the primary's provider serves.

        Where all names share one model (a list of candidates), only names of that model's kind.
        """
        primary = spec.primary
        if primary.model is not None and candidates is None:
            return ()
        found = self._provider(primary.provider, "spec.primary", quiet=primary.model is not None)
        if found is None:
            return ()
        return tuple(
            name for name in sorted(found.served) if candidates is None or found.kinds[name] is candidates.kind
        )

    def shadow(self, written: ShadowTarget, kinds: frozenset[ir.ModelKind]) -> ModelReference | None:
        """Return the model that receives copies; every name of the route must make what it makes."""
        candidate = self._candidate(written.provider, written.model, "spec.shadow")
        if candidate is not None and self.providers[candidate.provider].protocol is ir.Protocol.BEDROCK:
            self.diagnostics.miss(
                Reason.MODEL_TYPE_MISMATCH,
                "spec.shadow.provider",
                f"got `{candidate.provider}`, which speaks Bedrock's API, want one that takes copies as they came,"
                " of OpenAI's API or Anthropic's",
            )
            return None
        if candidate is None or kinds <= {self._kind(candidate)}:
            return candidate
        other = ", ".join(f"`{kind}`" for kind in sorted(kinds))
        self.diagnostics.miss(
            Reason.MODEL_TYPE_MISMATCH,
            "spec.shadow.model",
            f"got `{candidate.model}` of type `{self._kind(candidate)}`, want the type of every name of the"
            f" route ({other})",
        )
        return None

    def baseline(self, written: BaselineTarget, kinds: frozenset[ir.ModelKind]) -> str | None:
        """Return the target whose prices a route is compared with: the provider's first that serves the model."""
        candidate = self._candidate(written.provider, written.model, "spec.baseline")
        if candidate is None:
            return None
        if kinds and self._kind(candidate) not in kinds:
            other = ", ".join(f"`{kind}`" for kind in sorted(kinds))
            self.diagnostics.miss(
                Reason.MODEL_TYPE_MISMATCH,
                "spec.baseline.model",
                f"got `{candidate.model}` of type `{self._kind(candidate)}`, want a type that the route has ({other})",
            )
            return None
        found = self.providers[candidate.provider]
        endpoint = next(one.name for one in found.endpoints if candidate.model in one.terms)
        return f"{found.name}/{endpoint}/{word.encode(candidate.model)}"

    def _fallback_per_name(
        self, fallback: FallbackTarget, kinds: Mapping[str, ir.ModelKind], path: str
    ) -> Mapping[str, ModelReference]:
        """Return, for each name that it can stand in for, the model of a fallback of a wildcard route."""
        found = self._provider(fallback.provider, path)
        if found is None:
            return {}
        if fallback.model is None:
            fitting = {
                name: ModelReference(provider=found.name, model=name)
                for name, kind in kinds.items()
                if name in found.served and found.kinds[name] is kind
            }
            if not fitting:
                self.diagnostics.miss(
                    Reason.MODEL_NOT_FOUND,
                    f"{path}.provider",
                    f"got `{fallback.provider}`, which serves none of the route's names, want a provider that does, or"
                    " add `model`",
                )
            return fitting
        candidate = self._candidate(fallback.provider, fallback.model, path)
        if candidate is None:
            return {}
        kind = self._kind(candidate)
        fitting = {
            name: candidate
            for name, wanted in kinds.items()
            if wanted is kind and (kind is not ir.ModelKind.EMBEDDING or name == candidate.model)
        }
        if not fitting:
            self.diagnostics.miss(
                Reason.MODEL_TYPE_MISMATCH,
                f"{path}.model",
                f"got `{candidate.model}` of type `{kind}`, which can stand in for none of the route's names, want a"
                " model of their type; for vectors only the same model will do",
            )
        return fitting

    def _may_replace(self, model: str, kind: ir.ModelKind, candidate: ModelReference, path: str) -> bool:
        """Tell whether a fallback makes what the primary makes: vectors only come from the same model."""
        if self._kind(candidate) is not kind:
            self.diagnostics.miss(
                Reason.MODEL_TYPE_MISMATCH,
                f"{path}.model",
                f"got `{candidate.model}` of type `{self._kind(candidate)}`, want a model of the primary's"
                f" type, `{kind}`",
            )
            return False
        if kind is ir.ModelKind.EMBEDDING and candidate.model != model:
            self.diagnostics.miss(
                Reason.MODEL_TYPE_MISMATCH,
                f"{path}.model",
                f"got `{candidate.model}`, want `{model}` at another provider: vectors of another model do not fit"
                " those that were stored",
            )
            return False
        return True

    def _kind(self, candidate: ModelReference) -> ir.ModelKind:
        return self.providers[candidate.provider].kinds[candidate.model]

    def _candidate(self, provider: str, model: str, path: str) -> ModelReference | None:
        found = self._provider(provider, path)
        if found is None:
            return None
        if model in found.served:
            return ModelReference(provider=provider, model=model)
        if model in found.kinds:
            self.diagnostics.miss(
                Reason.MODEL_NOT_FOUND,
                f"{path}.model",
                f"got `{model}`, which no endpoint of provider `{provider}` serves, want one of {listed(found.served)}",
            )
        else:
            self.diagnostics.miss(
                Reason.MODEL_NOT_FOUND,
                f"{path}.model",
                f"got `{model}`, want a model of provider `{provider}` ({listed(found.kinds)})"
                f"{meant(model, found.kinds)}",
            )
        return None

    def _provider(self, name: str, path: str, *, quiet: bool = False) -> Provider | None:
        """Return a provider that may be used, or say why there is none; quiet where it has been said."""
        found = self.providers.get(name)
        if found is not None and found.permits(self.namespace, self.references):
            return found
        if quiet:
            return None
        if found is None:
            usable = [p.name for p in self.providers.values() if p.permits(self.namespace, self.references)]
            want = f"a ModelProvider of namespace `{self.references.home}`"
            want += f" ({listed(usable)})" if usable else ", create it"
            self.diagnostics.miss(
                Reason.PROVIDER_NOT_FOUND,
                f"{path}.provider",
                f"got `{name}`, want {want}{meant(name, usable)}",
                missing=f"ModelProvider {self.references.home}/{name}",
            )
        else:
            self.diagnostics.miss(
                Reason.PROVIDER_NOT_ALLOWED,
                f"{path}.provider",
                f"got `{name}`, which does not allow routes of namespace `{self.namespace}`, want one that does, add"
                " the namespace to its `spec.allowedRoutes`",
            )
        return None
