#!/usr/bin/env bash
# Everything a cluster is made of: apt parts, and Kubernetes, etcd, CoreDNS and Helm built from their Go modules.
#   build.sh            builds what is missing (about 8 minutes, once) and prints the folder of the binaries
# The folder lies outside the checkout and is named by the hash of the two go.sum, so that a clean checkout finds it.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
KEY=$(cat "$HERE"/go/*/go.mod "$HERE"/go/*/go.sum "$HERE/pause.c" | sha256sum | cut -c1-16)
BIN=${XDG_CACHE_HOME:-$HOME/.cache}/fairlead/e2e/$KEY/bin
mkdir -p "$BIN"
say() { echo "$*" >&2; }

exec 9>"$BIN/../build.lock"
flock 9 # a second caller waits and finds everything done

declare -A PARTS=(
  [containerd]=containerd [runc]=runc [buildah]=buildah [mmdebstrap]=mmdebstrap [iptables]=iptables
  [conntrack]=conntrack [ip]=iproute2 [nsenter]=util-linux [openssl]=openssl [gcc]=gcc
)
missing=()
for command in "${!PARTS[@]}"; do command -v "$command" >/dev/null || missing+=("${PARTS[$command]}"); done
[ -x /usr/lib/cni/bridge ] || missing+=(containernetworking-plugins)
[ -e /usr/lib/gcc ] && [ -e /usr/include/signal.h ] || missing+=(libc6-dev)
if [ ${#missing[@]} -gt 0 ]; then
  say "apt: ${missing[*]}"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"; } >&2
fi

# Commands of one module, skipped when every one of them is there. Each is renamed into place when it is whole.
build() { # module-folder ldflags name=package...
  local module=$1 ldflags=$2 pair
  shift 2
  for pair; do
    local name=${pair%%=*} package=${pair#*=}
    [ -x "$BIN/$name" ] && continue
    say "building $name"
    (cd "$HERE/go/$module" && CGO_ENABLED=0 GOFLAGS=-mod=readonly nice go build -buildvcs=false -trimpath -ldflags "$ldflags" \
      -o "$BIN/.$name" "$package") >&2
    mv "$BIN/.$name" "$BIN/$name"
  done
}

VERSION=$(cd "$HERE/go/kubernetes" && go list -m -f '{{.Version}}' k8s.io/kubernetes)
MINOR=$(cut -d. -f2 <<<"$VERSION")
LD="-s -w" # without a version the kubelet calls itself v0.0.0 and the API server refuses features
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  LD+=" -X $package.gitVersion=$VERSION -X $package.gitMajor=1 -X $package.gitMinor=$MINOR"
done
build kubernetes "$LD" \
  etcd=go.etcd.io/etcd/server/v3 \
  kube-apiserver=k8s.io/kubernetes/cmd/kube-apiserver \
  kube-controller-manager=k8s.io/kubernetes/cmd/kube-controller-manager \
  kube-scheduler=k8s.io/kubernetes/cmd/kube-scheduler \
  kubelet=k8s.io/kubernetes/cmd/kubelet \
  kube-proxy=k8s.io/kubernetes/cmd/kube-proxy \
  kubectl=k8s.io/kubernetes/cmd/kubectl
build tools "-s -w" coredns=github.com/coredns/coredns helm=helm.sh/helm/v4/cmd/helm

if [ ! -e "$BIN/pause.tar" ]; then # the process that holds a pod's namespaces: there is no registry to pull one from
  say "building pause"
  SCRATCH=$(mktemp -d)
  gcc -Os -static -o "$SCRATCH/pause" "$HERE/pause.c"
  printf 'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n' >"$SCRATCH/Dockerfile"
  store=(buildah --root "$SCRATCH/root" --runroot "$SCRATCH/run" --storage-driver vfs)
  "${store[@]}" bud --isolation chroot -q -t localhost/pause:local "$SCRATCH" >&2
  "${store[@]}" push -q localhost/pause:local "oci-archive:$SCRATCH/pause.tar:localhost/pause:local" >&2
  mv "$SCRATCH/pause.tar" "$BIN/pause.tar"
  rm -rf "$SCRATCH"
fi
echo "$BIN"
