"""Writes what an image or the wheel is made of: a bill of materials in CycloneDX's form, JSON.

    sbom.py image build/images/operator.tar >operator.cdx.json
    sbom.py wheel build/release/fairlead-0.1.0-py3-none-any.whl >fairlead.cdx.json

Of an image: Python packages by their `*.dist-info/METADATA`, Debian's by what `images/build.sh` leaves in
`var/lib/dpkg/status.d`, wherever a layer has them: scanners look there, too. Of the wheel: all that it needs with all
of its extras, in the versions of requirements.txt.
"""

import email
import hashlib
import json
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from email.message import Message
from importlib.metadata import distribution
from pathlib import Path
from typing import IO
from zipfile import ZipFile

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKED = ROOT / "requirements.txt"
_LICENSES = LicenseFactory()
_LONGEST_LICENSE = 100


def of_image(path: Path) -> Bom:
    """List what is in an OCI archive."""
    with tarfile.open(path) as archive:
        index = json.load(_opened(archive, "index.json"))
        manifest = json.load(_opened(archive, _blob(index["manifests"][0])))
        found = [part for layer in manifest["layers"] for part in _of_layer(_opened(archive, _blob(layer)))]
    subject = Component(
        name=f"fairlead-{path.stem}",
        type=ComponentType.CONTAINER,
        version=index["manifests"][0]["digest"],
        hashes=[_sha256(index["manifests"][0]["digest"].partition(":")[2])],
    )
    return _bom(subject, found)


def _opened(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    content = archive.extractfile(name)
    if content is None:
        raise ValueError(f"{archive.name}: got no file `{name}`, want an OCI archive")
    return content


def _blob(descriptor: Mapping[str, str]) -> str:
    return f"blobs/{descriptor['digest'].replace(':', '/')}"


def _of_layer(content: IO[bytes]) -> Iterator[Component]:
    with tarfile.open(fileobj=content, mode="r|*") as layer:
        for member in layer:
            is_python = member.name.endswith(".dist-info/METADATA")
            is_debian = "var/lib/dpkg/status.d/" in member.name and not member.name.endswith(".md5sums")
            if member.isfile() and (is_python or is_debian) and (file := layer.extractfile(member)) is not None:
                about = email.message_from_bytes(file.read())
                yield _of_python(about) if is_python else _of_debian(about)


def _of_python(about: Message) -> Component:
    name, version = canonicalize_name(about["Name"]), about["Version"]
    words = about["License-Expression"] or about["License"]
    is_name = bool(words) and "\n" not in words and len(words) < _LONGEST_LICENSE  # some write the whole text there
    licenses = [_LICENSES.make_from_string(words)] if is_name else []
    url = PackageURL("pypi", None, name, version)
    return Component(name=name, version=version, purl=url, bom_ref=str(url), licenses=licenses)


def _of_debian(about: Message) -> Component:
    name, version = about["Package"], about["Version"]
    url = PackageURL("deb", "debian", name, version, {"arch": about["Architecture"]})
    return Component(name=name, version=version, purl=url, bom_ref=str(url))


def of_wheel(path: Path) -> Bom:
    """List what a wheel needs, with all of its extras."""
    with ZipFile(path) as wheel:
        (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        about = email.message_from_bytes(wheel.read(metadata))
    subject = _of_python(about)
    subject.type = ComponentType.APPLICATION
    subject.hashes = [_sha256(hashlib.sha256(path.read_bytes()).hexdigest())]
    return _bom(subject, _needed(about, {*about.get_all("Provides-Extra", ())}))


def _needed(about: Message, extras: set[str]) -> Iterator[Component]:
    """Follow requirements as they hold on this machine; versions are those that are installed, by requirements.txt."""
    seen: set[tuple[str, str]] = set()
    waiting = [(about, extra) for extra in ("", *sorted(extras))]
    ours = canonicalize_name(about["Name"])
    while waiting:
        whose, extra = waiting.pop()
        for requirement in map(Requirement, whose.get_all("Requires-Dist", ())):
            name = canonicalize_name(requirement.name)
            if name == ours or not (requirement.marker is None or requirement.marker.evaluate({"extra": extra})):
                continue
            for wanted in ("", *requirement.extras):
                if (name, wanted) not in seen:
                    seen.add((name, wanted))
                    found = email.message_from_string(distribution(name).read_text("METADATA") or "")
                    waiting.append((found, wanted))
                    if not wanted:
                        yield _of_python(found)


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


def _bom(subject: Component, parts: Iterable[Component]) -> Bom:
    bom = Bom(components=parts)
    bom.metadata.component = subject
    bom.register_dependency(subject, bom.components)
    return bom


def main(kind: str, path: str) -> None:
    """Write the bill of one file to stdout."""
    bom = {"image": of_image, "wheel": of_wheel}[kind](Path(path))
    sys.stdout.write(JsonV1Dot6(bom).output_as_string(indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
