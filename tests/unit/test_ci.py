"""What CI does with tests that fail: it tries their files again, alone, says so, and fails where they fail again."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "run"
MAKE = """#!/usr/bin/env bash
echo "make $*"
[ "$1" = test ] || exit 0
mkdir -p .pytest_cache/v/cache
failed=$(head -n 1 plan); sed -i 1d plan
echo "${failed:-{\\}}" > .pytest_cache/v/cache/lastfailed
[ -z "$failed" ]
"""
LACKING = "#!/usr/bin/env bash\necho 'got nothing'\nexit 3\n"
A, B = "tests/a.py::test_a[x::y]", "tests/b.py::test_b"


def run(folder: Path, *attempts: Sequence[str] | None) -> subprocess.CompletedProcess[str]:
    """Run it where these tests fail at the attempts; None: all is well."""
    (folder / ".ci").mkdir()
    shutil.copy(SCRIPT, folder / ".ci" / "run")
    programs = {name: LACKING for part in ("clients", "regions", "cluster") for name in [f"e2e/{part}/preflight.sh"]}
    for name, text in {**programs, "bin/make": MAKE}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    lines = ["" if failed is None else json.dumps(dict.fromkeys(failed, True)) for failed in attempts]
    (folder / "plan").write_text("".join(f"{line}\n" for line in lines))
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        [folder / ".ci" / "run"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PATH": path},
    )


def attempts(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stdout.splitlines() if line.startswith("make test")]


def test_what_passes_is_run_once(tmp_path: Path) -> None:
    done = run(tmp_path, None)
    assert (done.returncode, "FLAKY" in done.stdout) == (0, False), done
    assert attempts(done) == ["make test"]


def test_what_failed_is_tried_twice_more_file_by_file_and_told_at_the_end(tmp_path: Path) -> None:
    done = run(tmp_path, [A, B], [B], None)
    assert done.returncode == 0, done
    assert attempts(done) == ["make test", "make test AFRESH=tests/a.py tests/b.py", "make test AFRESH=tests/b.py"]
    assert "FLAKY" in done.stdout.splitlines()[-5]
    assert "tests of tests/b.py failed, and passed at the third attempt" in done.stdout


def test_what_fails_each_time_fails(tmp_path: Path) -> None:
    done = run(tmp_path, [A], [A], [A])
    assert (done.returncode, len(attempts(done))) == (1, 3)
    assert "make bench-check" not in done.stdout, "nothing else is begun"


@pytest.mark.parametrize("failed", [[], [f"tests/{number}.py::test" for number in range(7)]], ids=["a check", "many"])
def test_what_chance_does_not_explain_is_not_tried_again(tmp_path: Path, failed: list[str]) -> None:
    done = run(tmp_path, failed, None)
    assert (done.returncode, attempts(done)) == (1, ["make test"])
