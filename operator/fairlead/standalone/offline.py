"""Files judged once, without serving them: for `fairlead check` and `fairlead render`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fairlead.adapters import installation_file
from fairlead.adapters.manifest_files import ManifestFile, ManifestFiles
from fairlead.api.consumer import ModelConsumer
from fairlead.api.core import Redacted
from fairlead.api.decode import decode, unpack
from fairlead.api.installation import Installation
from fairlead.api.provider import ModelProvider
from fairlead.compiler import pod_layouts
from fairlead.manifests import BudgetSettings, Settings
from fairlead.runtime.snapshot import SecretName
from fairlead.standalone import release
from fairlead.standalone.inputs import Memory, take_in
from fairlead.standalone.offline_installation import offline_installation
from fairlead.standalone.release import Release


def compile_offline(
    paths: tuple[Path, ...],
    config: Path | None,
    environment: Mapping[str, str],
    *,
    gateways: Settings | None = None,
    for_pods: bool = True,
) -> tuple[Release, Installation, tuple[ManifestFile, ...]]:
    """Read, compile and render for pods; unless `for_pods`, within the bounds of whom the installation is for.

    `gateways` is what the chart says about a release's gateways; without it the release has the usual name.
    Files without any Secret are taken as Git holds them: the Secrets that they name are elsewhere, and count as
    there: `inputs.assumed`. Not so for an installation of `fairlead up`, which has its Secrets in its files.

    Raises:
        InstallationError: `config` cannot be used.

    """
    files = ManifestFiles(paths, without=(config,) if config else ()).read()
    installation = installation_file.read(config) if config else offline_installation(_documents(files))
    inputs = take_in(files, memory=Memory(), environment=environment, default_namespace=installation.namespace)
    if not (inputs.secrets or is_for_up(installation) or any(key.kind == "Secret" for key in inputs.sources)):
        elsewhere = _elsewhere(_documents(files), installation.namespace)
        inputs = replace(inputs, secrets=elsewhere, assumed=tuple(sorted(elsewhere)))
    layouts = pod_layouts(
        installation,
        _budget_server(installation) if gateways is None else gateways.budget_server,
        recorder=_recorder(installation) if gateways is None else gateways.recorder,
        regions=None if gateways is None else gateways.regions,
    )
    if not for_pods and is_for_up(installation):  # what no ConfigMap carries may be larger
        layouts = {region: replace(layout, mounted=False) for region, layout in layouts.items()}
    return release.make(inputs, installation, Memory(), layouts), installation, files


def is_for_up(installation: Installation) -> bool:
    """Tell whether an installation says where gateways listen, which only `fairlead up` needs."""
    return any(region.listen for region in installation.regions)


def _budget_server(installation: Installation) -> BudgetSettings:
    """Return where the budget server of a Helm release of the usual name listens."""
    host = f"fairlead-budget-server.{installation.namespace}.svc"
    return BudgetSettings(rpc=f"{host}:8081", usage=f"{host}:8082", configuration="fairlead-book", shared=False)


def _recorder(installation: Installation) -> str | None:
    """Return where a Helm release's recorder listens; that of `fairlead up` is there as soon as it is asked for."""
    return None if installation.recorder is None else f"fairlead-recorder.{installation.namespace}.svc:8084"


def _documents(files: tuple[ManifestFile, ...]) -> list[Mapping[str, object]]:
    return [
        manifest
        for file in files
        for document in file.documents
        for manifest in unpack(document.manifest)
        if isinstance(manifest, Mapping)
    ]


def _elsewhere(documents: list[Mapping[str, object]], namespace: str) -> dict[SecretName, dict[str, Redacted]]:
    """Make up every Secret entry that the documents name, each with a value of its own."""
    made: dict[SecretName, dict[str, Redacted]] = {}
    for document in documents:
        written = decode(document, default_namespace=namespace).object
        if isinstance(written, ModelProvider):
            entries = [
                (endpoint.credential.secret_name, endpoint.credential.key)
                for endpoint in written.spec.endpoints
                if endpoint.credential
            ]
        elif isinstance(written, ModelConsumer):
            entries = [(key.secret_name, key.key) for key in written.spec.keys]
        else:
            continue
        home = written.metadata.namespace
        for secret, key in entries:
            made.setdefault((home, secret), {})[key] = Redacted(f"{home}/{secret}/{key}".encode())
    return made
