#!/usr/bin/env bash
# Makes a release: wheel, chart, images, bills of materials, and sums of all of them, signed.
#   build.sh KEY [OUTPUT]    KEY: a GPG key that can sign, by its e-mail address or fingerprint. OUTPUT: build/release by default
# Whoever has the public key checks all of it with verify.sh: SHA256SUMS.asc signs the sums, and Helm checks the chart by its .prov.
set -euo pipefail
REPOSITORY=$(cd "$(dirname "$0")/.." && pwd)
KEY=${1:?got no key, want the e-mail address or fingerprint of a GPG key that can sign}
OUTPUT=$(mkdir -p "${2:-$REPOSITORY/build/release}" && cd "${2:-$REPOSITORY/build/release}" && pwd)
IMAGES=$REPOSITORY/build/images
PYTHON=${PYTHON:-$REPOSITORY/.venv/bin/python}
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
cd "$REPOSITORY"

gpg --quiet --list-secret-keys "$KEY" >/dev/null || { echo "key: got \`$KEY\`, want one that \`gpg --list-secret-keys\` knows" >&2; exit 1; }
command -v helm >/dev/null || PATH=$(e2e/cluster/build.sh):$PATH
rm -f "$OUTPUT"/*

"$PYTHON" -m pip wheel --quiet --no-deps --wheel-dir "$OUTPUT" .

images/build.sh "$IMAGES"
for image in "$IMAGES"/*.tar; do
  cp "$image" "$OUTPUT/$(basename "$image")"
  "$PYTHON" release/sbom.py image "$image" >"$OUTPUT/$(basename "$image" .tar).cdx.json"
done
"$PYTHON" release/sbom.py wheel "$OUTPUT"/*.whl >"$OUTPUT/fairlead.cdx.json"

# Helm reads keys in the form that GPG had before 2.1.
gpg --quiet --batch --export-secret-keys "$KEY" >"$SCRATCH/keyring.gpg"
helm package helm/fairlead --destination "$OUTPUT" --sign --key "$KEY" --keyring "$SCRATCH/keyring.gpg" >&2

cd "$OUTPUT"
sha256sum -- * >"$SCRATCH/sums" # which are not there yet, so that they do not count themselves
mv "$SCRATCH/sums" SHA256SUMS
gpg --quiet --batch --armor --local-user "$KEY" --detach-sign --output SHA256SUMS.asc SHA256SUMS
ls -lh "$OUTPUT" >&2
