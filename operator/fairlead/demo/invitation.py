"""What the demo leaves on the screen: lines to paste while the regions stay up."""

import sys
from collections.abc import Sequence
from pathlib import Path

from fairlead.demo.scene import Region, Scene

QUESTION = "Who are you?"


def invitation(scene: Scene) -> str:
    """Write the lines for a visitor who wants to try by hand."""
    return "\n\n".join((_curl(scene.regions(), scene.key), _python(scene.regions()[0], scene.key), _more(scene)))


def _curl(regions: Sequence[Region], key: str) -> str:
    body = f'{{"model": "chat", "messages": [{{"role": "user", "content": "{QUESTION}"}}]}}'
    lines = [
        f"curl -s {region.base_url}/chat/completions -H 'Authorization: Bearer {key}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
        for region in regions
    ]
    return "\n".join(("# ask each region", *lines))


def _python(region: Region, key: str) -> str:
    return f"""# the official client
{_shown(sys.executable)} - <<'EOF'
from openai import OpenAI
client = OpenAI(base_url="{region.base_url}", api_key="{key}")
for chunk in client.chat.completions.create(
    model="chat", messages=[{{"role": "user", "content": "{QUESTION}"}}], stream=True
):
    print(chunk.choices[0].delta.content or "" if chunk.choices else "", end="", flush=True)
print()
EOF"""


def _more(scene: Scene) -> str:
    fairlead = _shown(str(Path(sys.executable).with_name("fairlead")))
    region = scene.regions()[0]
    return f"""# swap the model: every edit is live in under a second
sed -i 's/model: heron/model: sparrow/' {scene.routes}

# who spent what; what the stopped agent is told; give it another dollar (or "0": then it stops at once)
{fairlead} budgets -c {scene.installation}
curl -s {region.base_url}/usage -H 'Authorization: Bearer {scene.agent_key}'
sed -i 's/usd: "1.00"/usd: "2.00"/' {scene.budgets}

# what each gateway serves; one log line per request and per attempt
{fairlead} status -c {scene.installation}
tail -f {scene.access_log(region.name)}"""


def _shown(path: str) -> str:
    """Shorten a path under the current folder."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
