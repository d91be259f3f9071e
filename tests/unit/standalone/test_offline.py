from pathlib import Path

import pytest
import yaml

from builders import endpoint, manifest, provider
from fairlead.errors import InstallationError
from fairlead.standalone.offline import compile_offline


def write(path: Path, *documents: object) -> Path:
    path.write_text(yaml.safe_dump_all(documents))
    return path


def test_an_installation_is_assumed_or_read(tmp_path: Path) -> None:
    manifests = write(tmp_path / "p.yaml", provider("p", endpoints=[endpoint("us", "us-east-1")]))
    config = write(tmp_path / "c.yaml", {"regions": [{"name": "eu-west-1", "geo": "eu"}], "log": {"access": "None"}})
    assumed, _, _ = compile_offline((manifests,), None, {})
    assert list(assumed.regions) == ["us-east-1"]
    read, installation, files = compile_offline((tmp_path,), config, {})
    assert list(read.regions) == [region.name for region in installation.served] == ["eu-west-1"]
    assert [file.path for file in files] == [str(manifests)], "the installation is no manifest"
    assert b'"/dev/null"' in read.regions["eu-west-1"].files["xds/lds.json"]
    assert b"/dev/stdout" not in read.regions["eu-west-1"].files["xds/lds.json"]


def test_secrets_that_are_elsewhere_are_different_from_one_another(tmp_path: Path) -> None:
    consumers = [
        manifest("ModelConsumer", name, "team", {"keys": [{"secretName": name}]}) for name in ("one", "two", "three")
    ]
    release, _, _ = compile_offline((write(tmp_path / "c.yaml", *consumers),), None, {})
    assert [report.problems for report in release.compiled.reports] == [(), (), ()], "no DuplicateKey"


def test_a_budget_is_judged_where_there_is_a_server(tmp_path: Path) -> None:
    policy = manifest("BudgetPolicy", "agents", "team", {"limit": {"usd": "1"}})
    release, _, _ = compile_offline((write(tmp_path / "b.yaml", provider("p"), policy),), None, {})
    (report,) = [report for report in release.compiled.reports if report.key.kind == "BudgetPolicy"]
    assert (report.problems, report.warnings) == ((), ())


def test_an_installation_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InstallationError):
        compile_offline((tmp_path,), write(tmp_path / "c.yaml", {"regions": []}), {})
