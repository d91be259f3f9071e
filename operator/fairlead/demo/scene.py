"""The demo's folder: the YAML of `examples/demo` on ports that are free, and one key per provider and region."""

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from fairlead.demo.port import ADDRESS, PortClaims

KEY_VARIABLE = "FAIRLEAD_DEMO_KEY"
AGENT_KEY_VARIABLE = "FAIRLEAD_DEMO_AGENT_KEY"
_PLACE = re.compile(r"127\.0\.0\.1:([0-9]+)")
_VARIABLE = re.compile(r"\$\{(FAIRLEAD_DEMO_[A-Z_]+)\}")


class SceneError(Exception):
    """The folder cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One region of the installation."""

    name: str
    port: int
    """Where its gateway listens."""

    @property
    def base_url(self) -> str:
        """What a client's `base_url` is."""
        return f"http://{ADDRESS}:{self.port}/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One endpoint of a provider, as the YAML declares it."""

    name: str
    region: str
    port: int
    key_variable: str
    """The environment variable that holds its key."""
    header: str
    models: tuple[str, ...]
    """Ids that it must serve."""


class Scene:
    """A folder with the demo's files; a lock in it keeps a second demo out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open = ExitStack()
        self.environment: Mapping[str, str] = {}

    @property
    def installation(self) -> Path:
        """The installation's file."""
        return self.folder / "installation.yaml"

    @property
    def resources(self) -> Path:
        """The folder of the resources."""
        return self.folder / "resources"

    @property
    def routes(self) -> Path:
        """The file that the story edits."""
        return self.resources / "routes.yaml"

    @property
    def budgets(self) -> Path:
        """The file of the budgets."""
        return self.resources / "budgets.yaml"

    @property
    def up_log(self) -> Path:
        """What `fairlead up` says."""
        return self.folder / "up.log"

    def access_log(self, region: str) -> Path:
        """Where a region's gateway writes a line for each request."""
        return self.folder / ".fairlead" / region / "access.log"

    @property
    def key(self) -> str:
        """The visitor's API key."""
        return self.environment[KEY_VARIABLE]

    @property
    def agent_key(self) -> str:
        """The API key of the agent that runs away."""
        return self.environment[AGENT_KEY_VARIABLE]

    def __enter__(self) -> Self:
        """Lock the folder, empty it and write the files; raise `SceneError` if another demo runs in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = self._open.enter_context((self.folder / "lock").open("a"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._open.close()
            raise SceneError(
                f"{self.folder}: another demo runs here; stop it, or choose a folder with `--dir`"
            ) from None
        _empty(self.folder)
        self._write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def _write(self) -> None:
        texts = {path.relative_to(source()): path.read_text() for path in sorted(source().rglob("*.yaml"))}
        everything = "".join(texts.values())
        ports = self._open.enter_context(PortClaims()).claim({int(port) for port in _PLACE.findall(everything)})
        self.environment = {name: f"fl-{secrets.token_hex(12)}" for name in sorted(set(_VARIABLE.findall(everything)))}
        for path, text in texts.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_PLACE.sub(lambda found: f"{ADDRESS}:{ports[int(found[1])]}", text))

    def edit(self, old: str, new: str) -> None:
        """Change one string of the routes' file, by rename as editors do.

        Raises:
            SceneError: it does not stand there once.

        """
        text = self.routes.read_text()
        if text.count(old) != 1:
            raise SceneError(f"{self.routes}: got {text.count(old)} times `{old}`, want once")
        fresh = self.routes.with_name(f".{self.routes.name}.new")
        fresh.write_text(text.replace(old, new))
        fresh.rename(self.routes)

    def up_lines(self) -> list[str]:
        """Return what `fairlead up` has said; a line that is still being written comes with the next look."""
        return self.up_log.read_text().rpartition("\n")[0].splitlines()

    def regions(self) -> tuple[Region, ...]:
        """Read the regions from the installation's file."""
        found = yaml.safe_load(self.installation.read_text())["regions"]
        return tuple(Region(name=each["name"], port=int(each["listen"].rpartition(":")[2])) for each in found)

    def documents(self) -> tuple[Mapping[str, Any], ...]:
        """Read all resources."""
        files = sorted(self.resources.glob("*.yaml"))
        return tuple(document for path in files for document in yaml.safe_load_all(path.read_text()))

    def places(self, provider: str) -> tuple[Place, ...]:
        """Read where a provider must listen, with which keys and which models."""
        documents = self.documents()
        spec = next(each["spec"] for each in documents if _is(each, "ModelProvider", provider))
        return tuple(_place(endpoint, spec, documents) for endpoint in spec["endpoints"])


def _place(endpoint: Mapping[str, Any], spec: Mapping[str, Any], documents: tuple[Mapping[str, Any], ...]) -> Place:
    credential = endpoint["credential"]
    secret = next(each for each in documents if _is(each, "Secret", credential["secretName"]))
    variable = _VARIABLE.fullmatch(secret["stringData"][credential["key"]])
    port = _PLACE.search(endpoint["baseURL"])
    if variable is None or port is None:
        raise SceneError(f"endpoint {endpoint['name']}: got no key variable or no port on {ADDRESS}, want both")
    models = endpoint.get("models", spec["models"])
    return Place(
        name=endpoint["name"],
        region=endpoint["region"],
        port=int(port[1]),
        key_variable=variable[1],
        header=credential.get("header", "Authorization"),
        models=tuple(model.get("id", model["name"]) for model in models),
    )


def _is(document: Mapping[str, Any], kind: str, name: str) -> bool:
    return bool(document["kind"] == kind and document["metadata"]["name"] == name)


def source() -> Path:
    """Find the YAML: inside an installed package, or in `examples/demo` of a clone."""
    packaged = Path(__file__).with_name("examples")
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "examples" / "demo"


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name == "lock":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def environment(scene: Scene) -> dict[str, str]:
    """Return the environment of the children: this process's, and the keys."""
    return {**os.environ, **scene.environment}
