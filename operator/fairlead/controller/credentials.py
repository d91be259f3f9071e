"""Which files with credentials an object needs at a region's gateway. Pure."""

from collections.abc import Mapping

from fairlead.compiler import Compiled
from fairlead.status import CompiledStatus


class Credentials:
    """Of one compilation: the files, `<secret>/<key>`, by region and endpoint."""

    def __init__(self, compiled: Compiled | None = None) -> None:
        self._files: Mapping[str, Mapping[str, str]] = {
            region: {
                f"{target.provider}/{target.endpoint}": "/".join(target.credential.split("/")[:2])
                for target in gateway.ir.targets
                if target.credential
            }
            for region, gateway in (compiled.gateways.items() if compiled else ())
        }

    def of_region(self, region: str) -> frozenset[str]:
        """Return all that a region's gateway needs."""
        return frozenset(self._files.get(region, {}).values())

    def needed(self, found: CompiledStatus, region: str) -> frozenset[str]:
        """Return what a provider's endpoints, or a route's attempts, need in a region."""
        files, key = self._files.get(region, {}), found.report.key
        match key.kind:
            case "ModelProvider":
                return frozenset(file for name, file in files.items() if name.startswith(f"{key.name}/"))
            case "ModelRoute":
                named = ("/".join(attempt.split("/")[:2]) for attempt in found.ladders.get(region, ()))
                return frozenset(files[name] for name in named if name in files)
            case _:
                return frozenset()
