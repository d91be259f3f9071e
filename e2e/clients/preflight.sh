#!/usr/bin/env bash
# Can this machine have the clients of other people?  Exit code 0: it can; 3: it cannot, and why stands on stderr.
set -uo pipefail
cd "$(dirname "$0")"
lacks() {
  echo "this machine cannot have the clients of other people: $*" >&2
  exit 3
}
for word in node npm curl; do command -v $word >/dev/null || lacks "no \`$word\` on PATH (Debian: nodejs, npm, curl)"; done
[ -e ../../build/clients/.installed ] && exit 0
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
python3 -m pip download --quiet --no-deps --disable-pip-version-check --dest "$scratch" "$(grep -m1 '^[a-z]' requirements.txt)" >/dev/null 2>&1 ||
  lacks "no package index answers pip"
npm view openai name >/dev/null 2>&1 || lacks "no registry answers npm"
