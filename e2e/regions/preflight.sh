#!/usr/bin/env bash
# Can this machine have regions as network namespaces?  Exit code 0: it can; 3: it cannot, and why stands on stderr.
set -uo pipefail
lacks() {
  echo "this machine cannot have regions as network namespaces: $*" >&2
  exit 3
}
[ "$(uname -s)" = Linux ] || lacks "got $(uname -s), want Linux"
[ "$(id -u)" = 0 ] || lacks "not root: namespaces and mounts need it"
for word in ip unshare mount; do command -v $word >/dev/null || lacks "no \`$word\` on PATH (Debian: iproute2, util-linux, mount)"; done
said=$(unshare --net --mount sh -c 'mount --bind /etc/hostname /etc/hosts && ip tuntap add dev wan mode tun && ip link set wan up' 2>&1) ||
  lacks "no network and mount namespaces with a TUN device in them ($(printf %s "$said" | head -n 1))"
