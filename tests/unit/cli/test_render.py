from pathlib import Path

from command_line import SECRETS, run, write


def test_render_writes_every_file_and_no_secret(files: Path) -> None:
    write(files / "m" / "secrets.yaml", *SECRETS)
    out = files / "out"
    arguments = ("render", "-f", files / "m", "-c", files / "fairlead.yaml", "-o", out)
    result = run(*arguments, AGENT="agent-key")
    assert result.exit_code == 0
    written = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    names = {"bootstrap.json", "xds/cds.json", "xds/lds.json", "xds/rds.json"}
    assert written == {f"{region}/{name}" for region in ("us-east-1", "eu-west-1") for name in names}
    everything = b"".join((out / name).read_bytes() for name in written)
    assert b"/etc/fairlead/xds" in everything
    assert b"sk-provider" not in everything
    assert b"agent-key" not in everything
    before = {name: (out / name).stat().st_mtime_ns for name in written}
    (out / "us-east-1" / "xds" / "old.json").write_text("")
    run(*arguments, AGENT="agent-key")
    assert {str(p.relative_to(out)): p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == before


def test_render_of_one_region(files: Path) -> None:
    arguments = ["render", "-f", files / "m", "-c", files / "fairlead.yaml", "-o", files / "out", "--region"]
    assert run(*arguments, "eu-west-1").exit_code == 0
    assert [path.name for path in (files / "out").iterdir()] == ["eu-west-1"]
    assert run(*arguments, "mars").exit_code == 2
