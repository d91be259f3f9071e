#!/usr/bin/env bash
# Checks a release before anything of it is used.
#   verify.sh FOLDER PUBLIC_KEY     PUBLIC_KEY: the maintainers' key, as `gpg --export` writes it (not armored)
# Exit code 1, and a line that says why: the sums are not signed by that key, a file is another or missing, or the chart is not theirs.
set -euo pipefail
FOLDER=${1:?got no folder, want that of a release}
KEYRING=$(realpath "${2:?got no key, want the public key of the maintainers in a file}")
cd "$FOLDER"
die() { echo "$*" >&2; exit 1; }

gpgv --keyring "$KEYRING" SHA256SUMS.asc SHA256SUMS 2>/dev/null || die "SHA256SUMS: not signed by the key of $KEYRING"
sha256sum --quiet --strict --check SHA256SUMS || die "a file is not the one that was signed"
unknown=$(comm -13 <(awk '{print $2}' SHA256SUMS | LC_ALL=C sort) <(ls | grep -v '^SHA256SUMS' | LC_ALL=C sort))
[ -z "$unknown" ] || die "$unknown: not part of the release"
for chart in *.tgz; do
  helm verify "$chart" --keyring "$KEYRING" >/dev/null || die "$chart: its .prov is not signed by the key of $KEYRING"
done
echo "$FOLDER: $(wc -l <SHA256SUMS) files, all as they were signed"
