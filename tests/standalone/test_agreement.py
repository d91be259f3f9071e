"""`check` and `up` say the same of whatever stands in a folder, each with its place, and neither stumbles."""

import json
from collections.abc import Callable, Mapping

import pytest
import yaml
from running_up import RunningUp, Site, ask, route, say

pytestmark = pytest.mark.envoy
ODD: Mapping[str, str | bytes] = {
    "values": "replicas: 3\nimage: {tag: x}\n",
    "template": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Values.name }}\n",
    "no-version": "kind: ModelRoute\nmetadata: {name: x}\nspec: {}\n",
    "near-kind": yaml.safe_dump({**route("near", "heron"), "kind": "ModelRout"}),
    "other-version": yaml.safe_dump({**route("v2", "heron"), "apiVersion": "fairlead.dev/v1alpha2"}),
    "deep": yaml.safe_dump(route("deep", "heron", rollout={"steps": [{"traffic": "1%"}, {"traffic": "1percent"}]})),
    "unset": 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: "${NOBODY_SETS_ME}"}\n',
    "twice-a": yaml.safe_dump(route("twice", "heron")),
    "twice-b": yaml.safe_dump(route("twice", "sparrow")),
    "missing": yaml.safe_dump_all([route(f"of-{one}", "heron", provider="nobody") for one in "abc"]),
    "latin": b'apiVersion: v1\nkind: Secret\nmetadata: {name: "\xe9"}\n',
    "bom": "\ufeff" + yaml.safe_dump(route("bom", "heron")),
    "crlf": yaml.safe_dump(route("crlf", "heron")).replace("\n", "\r\n"),
    "tabs": "kind: ModelRoute\n\tspec: {}\n",
    "nul": "a: \x00\n",
    "bomb": "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(8)),
    "huge": f"# {'x' * (3 << 20)}\n" + yaml.safe_dump(route("huge", "heron")),
    "nested": f"a: {'[' * 5000}{']' * 5000}\n",
    "list": "- a\n- b\n",
    "text": "hello\n",
    "blank": "\n",
    "half": yaml.safe_dump(route("half", "heron")) + "---\n: :\n",
    "twice-key": "kind: ModelRoute\nkind: ModelRoute\n",
    "tag": "!!python/object:os.system {}\n",
    "number": "apiVersion: v1\nkind: List\nitems: [3]\n",
    "elsewhere": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n",
}


def test_check_and_up_agree_on_odd_files(site: Site, start: Callable[..., RunningUp]) -> None:
    for name, text in ODD.items():
        (site.manifests / f"{name}.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    (site.manifests / "folder.yaml").mkdir()
    (site.manifests / "nowhere.yaml").symlink_to(site.root / "nowhere")
    said = say("check", "-f", site.manifests, "-c", site.config, "-o", "json")
    assert (said.returncode, said.stderr) == (1, "")
    found = json.loads(said.stdout)["diagnostics"]
    up = start(site).serving()
    for weight, event in (("problem", "refused"), ("warning", "warning")):
        told = [one["what"] for one in up.events if one["event"] == event]
        expected = [one for one in found if one["weight"] == weight]
        assert len(told) == len(expected), (told, expected)
        for one in expected:
            assert one["source"], one
            message = one["message"].partition("; needed by")[0]  # `up` says in between what is in effect
            assert any(one["source"] in what and one["object"] in what and message in what for what in told), one
    good = {"values", "template", "bom", "crlf", "huge", "blank", "elsewhere"}
    wrong = {one["source"].rpartition("/")[2].partition(".")[0] for one in found if one["weight"] == "problem"}
    assert wrong == {*ODD, "nowhere"} - (good - {"values", "template"}) - {"twice-b"}, "and nothing of the good ones"
    line = str(ODD["deep"]).partition("1percent")[0].count("\n") + 1
    assert f"deep.yaml:{line}" in {one["source"].rpartition("/")[2] for one in found}, "the line of the field"
    assert [ask(site.ports[0], name)[0] for name in ("chat", "bom", "crlf", "huge")] == [200] * 4
    for command in ("render", "status", "budgets", "logs"):
        more = ("-f", site.manifests, "-o", site.root / "rendered") if command == "render" else ()
        assert "Traceback" not in say(command, "-c", site.config, *more).stderr
