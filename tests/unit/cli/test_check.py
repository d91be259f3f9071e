import json
from pathlib import Path

import pytest
from command_line import PROVIDER, SECRETS, run, write

from builders import manifest


def test_check_says_first_what_a_person_wants_first(files: Path) -> None:
    result = run("check", "-f", files / "m")
    ok, _, assumed = result.output.splitlines()
    assert ok == "ok: 1 file, 3 objects"
    assert assumed.endswith("`fairlead up` needs them: fairlead/p, team/agent")
    assert result.exit_code == 0


def test_check_names_object_place_and_remedy(files: Path) -> None:
    wrong = manifest("ModelRoute", "chat", "fairlead", {"primary": {"provider": "p", "model": "smal"}})
    write(files / "m" / "all.yaml", PROVIDER, wrong)
    (files / "m" / "broken.yaml").write_text("kind: [")
    result = run("check", "-f", files / "m", "-c", files / "fairlead.yaml")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[0] == "found: 2 files, 2 objects, 2 problems"
    assert any(line.startswith(f"problem: {files}/m/broken.yaml:") for line in lines)
    assert any(line.startswith(f"problem: ModelRoute fairlead/chat ({files}/m/all.yaml:") for line in lines)
    assert any(line.startswith("  spec.primary.model: got `smal`, want ") for line in lines)


@pytest.mark.parametrize(("strict", "code"), [([], 0), (["--strict"], 1)])
def test_what_is_not_enforced_yet_is_a_warning(files: Path, strict: list[str], code: int) -> None:
    rollout = manifest(
        "ModelRoute",
        "chat",
        "fairlead",
        {"primary": {"provider": "p", "model": "small"}, "rollout": {"steps": [{"traffic": "5%", "hold": "1h"}]}},
    )
    write(files / "m" / "all.yaml", PROVIDER, rollout)
    result = run("check", "-f", files / "m", *strict)
    assert result.exit_code == code
    assert "spec.rollout: not enforced yet" in result.output


def test_check_for_machines(files: Path) -> None:
    write(files / "m" / "more.yaml", manifest("ModelRoute", "x", "fairlead", {}))
    result = run("check", "-f", files / "m", "-o", "json")
    assert result.exit_code == 1
    report = json.loads(result.output)
    assert (report["ok"], report["files"], report["objects"]) == (False, 2, 4)
    assert {diagnostic["object"] for diagnostic in report["diagnostics"]} == {"ModelRoute fairlead/x"}
    assert {diagnostic["source"] for diagnostic in report["diagnostics"]} == {f"{files}/m/more.yaml:1"}


def test_where_up_would_refuse_check_is_not_silent(files: Path) -> None:
    regions = [{"name": "us-east-1", "geo": "us", "listen": "127.0.0.1:8101"}, {"name": "eu-west-1", "geo": "eu"}]
    write(files / "fairlead.yaml", {"regions": regions})
    result = run("check", "-f", files / "m", "-c", files / "fairlead.yaml")
    assert result.exit_code == 1
    assert "spec.keys[0].secretName: got `agent`" in result.output
    assert "assumed" not in result.output
    write(files / "m" / "secrets.yaml", *SECRETS)
    assert run("check", "-f", files / "m", "-c", files / "fairlead.yaml", AGENT="x").exit_code == 0


def test_secrets_count_as_elsewhere_until_one_is_here(files: Path) -> None:
    assert run("check", "-f", files / "m").exit_code == 0
    write(files / "m" / "secrets.yaml", SECRETS[0])
    result = run("check", "-f", files / "m")
    assert result.exit_code == 1
    assert "spec.keys[0].secretName: got `agent`" in result.output
    write(files / "m" / "secrets.yaml", *SECRETS)
    assert "set the variable `AGENT`" in run("check", "-f", files / "m").output
    assert run("check", "-f", files / "m", AGENT="x").exit_code == 0
