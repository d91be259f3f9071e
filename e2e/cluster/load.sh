#!/usr/bin/env bash
# Brings images into a cluster that is up.
#   load.sh NAME IMAGE.tar ...
set -euo pipefail
cd "${FAIRLEAD_CLUSTERS:-/tmp/fairlead-clusters}/$1" 2>/dev/null || { echo "no cluster $1" >&2; exit 1; }
SOCKET=$PWD/containerd.sock
cd "$OLDPWD"
shift
for image; do ctr -a "$SOCKET" -n k8s.io images import "$image" >/dev/null; done
