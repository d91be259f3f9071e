"""Which files with credentials an object needs at a region's gateway. Pure."""

from collections.abc import Mapping

from fairlead.compiler import Compiled
from fairlead.status import CompiledStatus


class Credentials:
    """Of one compilation: the files, `<secret>/<key>`, by region and endpoint, and by provider."""

    def __init__(self, compiled: Compiled | None = None) -> None:
        gateways = compiled.gateways if compiled else {}
        self._files: Mapping[str, Mapping[str, str]] = {
            region: {
                f"{target.provider}/{target.endpoint}": "/".join(target.credential.split("/")[:2])
                for target in gateway.ir.targets
                if target.credential
            }
            for region, gateway in gateways.items()
        }
        self._signing: Mapping[str, frozenset[str]] = {
            region: gateway.ir.signing_files for region, gateway in gateways.items()
        }
        named = compiled.provider_credentials if compiled else {}
        self._of_providers: Mapping[str, Mapping[str, frozenset[str]]] = {
            region: {
                provider: frozenset(f"{secret}/{key}" for secret, key in entries if secret not in gateway.lacking)
                for provider, entries in named.items()
            }
            for region, gateway in gateways.items()
        }
        """Pods mount the Secrets of all providers: one that no route uses yet is ready for the first that does."""

    @property
    def known(self) -> tuple[object, ...]:
        """All that answers depend on: equal, and so are they."""
        return self._files, self._signing, self._of_providers

    def of_region(self, region: str) -> frozenset[str]:
        """Return all that a region's gateway is to hold."""
        return frozenset(self._files.get(region, {}).values()).union(*self._of_providers.get(region, {}).values())

    def signing(self, region: str) -> frozenset[str]:
        """Return those that a region's gateway signs requests by."""
        return self._signing.get(region, frozenset())

    def needed(self, found: CompiledStatus, region: str) -> frozenset[str]:
        """Return what a provider's endpoints, or a route's attempts, need in a region."""
        files, key = self._files.get(region, {}), found.report.key
        match key.kind:
            case "ModelProvider":
                return self._of_providers.get(region, {}).get(key.name, frozenset())
            case "ModelRoute":
                named = ("/".join(attempt.split("/")[:2]) for attempt in found.ladders.get(region, ()))
                return frozenset(files[name] for name in named if name in files)
            case _:
                return frozenset()
