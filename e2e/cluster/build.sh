#!/usr/bin/env bash
# Everything a cluster is made of: apt parts, and Kubernetes, etcd, CoreDNS and Helm built from their Go modules.
#   build.sh            builds what is missing (about 8 minutes, once) and prints the folder of the binaries
#   build.sh parts      only installs the apt parts
#   build.sh modules    only downloads the sources of what is missing
#   build.sh metrics    builds metrics-server (half a minute after the rest) and prints the archive of its image
# The folder lies outside the checkout and is named by the hash of the two go.sum, so that a clean checkout finds it;
# metrics-server has one of its own, since few tests need it.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
STEP=${1:-all}
KEY=$(cat "$HERE"/go/*/go.mod "$HERE"/go/*/go.sum "$HERE/pause.c" | sha256sum | cut -c1-16)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/fairlead/e2e
BIN=$CACHE/$KEY/bin
mkdir -p "$BIN"
say() { echo "$*" >&2; }

exec 9>"$BIN/../build.lock"
flock 9 # a second caller waits and finds everything done

declare -A KUBERNETES=(
  [etcd]=go.etcd.io/etcd/server/v3
  [kube-apiserver]=k8s.io/kubernetes/cmd/kube-apiserver
  [kube-controller-manager]=k8s.io/kubernetes/cmd/kube-controller-manager
  [kube-scheduler]=k8s.io/kubernetes/cmd/kube-scheduler
  [kubelet]=k8s.io/kubernetes/cmd/kubelet
  [kube-proxy]=k8s.io/kubernetes/cmd/kube-proxy
  [kubectl]=k8s.io/kubernetes/cmd/kubectl
)
declare -A TOOLS=([coredns]=github.com/coredns/coredns [helm]=helm.sh/helm/v4/cmd/helm)
VERSION=$(awk '$1 == "k8s.io/kubernetes" {print $2}' "$HERE/go/kubernetes/go.mod")

parts() {
  local command missing=()
  local -A packages=(
    [containerd]=containerd [runc]=runc [buildah]=buildah [mmdebstrap]=mmdebstrap [iptables]=iptables
    [conntrack]=conntrack [ip]=iproute2 [nsenter]=util-linux [openssl]=openssl [gcc]=gcc [sysctl]=procps
  )
  for command in "${!packages[@]}"; do command -v "$command" >/dev/null || missing+=("${packages[$command]}"); done
  [ -x /usr/lib/cni/bridge ] || missing+=(containernetworking-plugins)
  [ -e /usr/lib/gcc ] && [ -e /usr/include/signal.h ] || missing+=(libc6-dev)
  [ ${#missing[@]} -gt 0 ] || return 0
  say "apt: ${missing[*]}"
  {
    apt-get update -qq -o Acquire::Retries=3
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y -o Acquire::Retries=3 --no-install-recommends "${missing[@]}"
  } >&2
}

lacks() { # name of an array: tells whether one of its commands is not built yet
  local -n commands_of=$1
  local name
  for name in "${!commands_of[@]}"; do [ -x "$BIN/$name" ] || return 0; done
  return 1
}

modules() { # what a build needs and no more: twice, for a proxy that hiccups
  local module
  for module in kubernetes tools; do
    local -n packages=${module^^}
    lacks "${module^^}" || continue
    say "downloading the sources of $module"
    (cd "$HERE/go/$module" && { deps "${packages[@]}" || { sleep 10 && deps "${packages[@]}"; }; } >/dev/null)
  done
}
deps() { GOFLAGS=-mod=readonly go list -deps "$@"; }

build() { # module ldflags: builds the commands of a module that are not there; each is renamed into place when it is whole
  local module=$1 ldflags=$2 name
  local -n packages=${module^^}
  for name in "${!packages[@]}"; do
    [ -x "$BIN/$name" ] && continue
    say "building $name ($((SECONDS / 60)) min)"
    (cd "$HERE/go/$module" && CGO_ENABLED=0 GOFLAGS=-mod=readonly nice go build -buildvcs=false -trimpath -ldflags "$ldflags" \
      -o "$BIN/.$name" "${packages[$name]}") >&2
    mv "$BIN/.$name" "$BIN/$name"
  done
}

commands() {
  local minor package ldflags="-s -w" # without a version the kubelet calls itself v0.0.0 and the API server refuses features
  minor=$(cut -d. -f2 <<<"$VERSION")
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    ldflags+=" -X $package.gitVersion=$VERSION -X $package.gitMajor=1 -X $package.gitMinor=$minor"
  done
  build kubernetes "$ldflags"
  build tools "-s -w"
}

image() { # folder name archive: an image of one program, which lies in the folder by the image's name; there is no registry
  local folder=$1 name=$2 archive=$3
  printf 'FROM scratch\nCOPY %s /\nUSER 65535:65535\nENTRYPOINT ["/%s"]\n' "$name" "$name" >"$folder/Dockerfile"
  store=(buildah --root "$folder/root" --runroot "$folder/run" --storage-driver vfs)
  "${store[@]}" bud --isolation chroot -q -t "localhost/$name:local" "$folder" >&2
  "${store[@]}" push -q "localhost/$name:local" "oci-archive:$folder/image.tar:localhost/$name:local" >&2
  mv "$folder/image.tar" "$archive"
}

pause() { # the process that holds a pod's namespaces
  [ ! -e "$BIN/pause.tar" ] || return 0
  say "building pause"
  SCRATCH=$(mktemp -d)
  gcc -Os -static -o "$SCRATCH/pause" "$HERE/pause.c"
  image "$SCRATCH" pause "$BIN/pause.tar"
  rm -rf "$SCRATCH"
}

metrics() { # its packages are Kubernetes' own, in the same versions and built by the same flags: Go has them in its cache
  local archive
  archive=$CACHE/metrics-$(cat "$HERE"/metrics/go.{mod,sum} | sha256sum | cut -c1-16).tar
  if [ ! -e "$archive" ]; then
    say "building metrics-server"
    SCRATCH=$(mktemp -d)
    (cd "$HERE/metrics" && CGO_ENABLED=0 GOFLAGS=-mod=readonly nice go build -buildvcs=false -trimpath -ldflags "-s -w" \
      -o "$SCRATCH/metrics-server" sigs.k8s.io/metrics-server/cmd/metrics-server) >&2
    image "$SCRATCH" metrics-server "$archive"
    rm -rf "$SCRATCH"
  fi
  echo "$archive"
}

case $STEP in
  all)
    parts
    commands
    pause
    echo "$BIN"
    ;;
  parts) parts ;;
  modules) modules ;;
  metrics) parts && metrics ;;
  *)
    say "step: got $STEP, want parts, modules, metrics or nothing"
    exit 1
    ;;
esac
