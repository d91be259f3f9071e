#!/usr/bin/env bash
# Can this machine run a cluster? Tries each thing that up.sh and its containers do, and undoes it.
#   preflight.sh        exit code 0: it can; 3: it cannot, and every reason stands on stderr, one per line
# Installs the apt parts and downloads sources, since without them it cannot either. Not tried: what they are built into.
set -uo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
SCRATCH=$(mktemp -d)
NAME=fairlead-try$$
REASONS=()
undo() {
  ip netns del "$NAME" 2>/dev/null
  ip link del "fltry$$" 2>/dev/null
  umount "$SCRATCH/merged" 2>/dev/null
  rm -rf "$SCRATCH"
}
trap undo EXIT

lacks() { REASONS+=("$*"); }
finish() {
  [ ${#REASONS[@]} -gt 0 ] || exit 0
  echo "this machine cannot run a cluster:" >&2
  printf '  - %s\n' "${REASONS[@]}" >&2
  exit 3
}
try() { # reason command...: the reason is what is lacking when the command fails; what the command says is added to it
  local reason=$1
  shift
  "$@" >"$SCRATCH/said" 2>&1 </dev/null && return 0
  lacks "$reason (\`$*\`: $(head -n 1 "$SCRATCH/said" | cut -c1-200))"
  return 1
}

[ "$(uname -s)" = Linux ] || { lacks "got $(uname -s), want Linux" && finish; }
[ "$(id -u)" = 0 ] || { lacks "not root: namespaces, mounts and cgroups need it" && finish; }

cgroups() { # the hierarchies of cgroup v1 that runc and the kubelet write to
  local hierarchy group
  for hierarchy in cpu cpuacct cpuset memory devices freezer blkio pids systemd; do
    group=/sys/fs/cgroup/$hierarchy
    [ -d "$group" ] || { lacks "no cgroup v1 hierarchy at $group" && continue; }
    try "$group: not writable" mkdir "$group/$NAME" && rmdir "$group/$NAME"
  done
}
cgroups

# The kubelet does not start without these.
[ -r /dev/kmsg ] || lacks "/dev/kmsg: not readable"
[ -w /proc/sys/vm/overcommit_memory ] && [ -w /proc/sys/kernel/panic ] || lacks "/proc/sys: not writable"

free_mib() { df -Pm "$1" | awk 'NR == 2 {print $4}'; }
MEMORY=$(awk '/^MemAvailable:/ {print int($2 / 1024)}' /proc/meminfo)
[ "$MEMORY" -ge 2500 ] || lacks "memory: got $MEMORY MiB available, want 2500"
mkdir -p "${FAIRLEAD_CLUSTERS:-/tmp/fairlead-clusters}" "${XDG_CACHE_HOME:-$HOME/.cache}"
for folder in "${FAIRLEAD_CLUSTERS:-/tmp/fairlead-clusters}" "${XDG_CACHE_HOME:-$HOME/.cache}"; do
  [ "$(free_mib "$folder")" -ge 5000 ] || lacks "$folder: got $(free_mib "$folder") MiB free, want 5000"
done
[ ${#REASONS[@]} -eq 0 ] || finish # without asking the network first

try "packages of Debian are missing and apt cannot install them" "$HERE/build.sh" parts || finish

overlay() { # containerd's snapshots
  mkdir -p "$SCRATCH"/{lower,upper,work,merged}
  try "no overlay mounts" mount -t overlay overlay -o "lowerdir=$SCRATCH/lower,upperdir=$SCRATCH/upper,workdir=$SCRATCH/work" "$SCRATCH/merged" &&
    umount "$SCRATCH/merged"
}
overlay

network() { # what up.sh, the CNI plugins and kube-proxy make
  local rule
  try "no network namespaces" ip netns add "$NAME" || return
  local in=(nsenter "--net=/run/netns/$NAME")
  try "no bridges" "${in[@]}" ip link add br0 type bridge
  try "no veth pairs" ip link add "fltry$$" type veth peer name eth0 netns "$NAME"
  try "no forwarding" "${in[@]}" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1
  for rule in "-j MASQUERADE" "-m comment --comment x -j ACCEPT" "-m statistic --mode random --probability 0.5 -j ACCEPT" \
    "-m addrtype --dst-type LOCAL -j ACCEPT" "-m mark --mark 0x4000/0x4000 -j ACCEPT" "-m conntrack --ctstate NEW -j ACCEPT"; do
    # shellcheck disable=SC2086  words
    try "iptables lacks something that kube-proxy uses" "${in[@]}" iptables -t nat -A POSTROUTING $rule
  done
}
network

container() { # one container, run to its end
  mkdir -p "$SCRATCH/bundle/rootfs"
  echo 'int main(void) { return 0; }' | gcc -Os -static -x c -o "$SCRATCH/bundle/rootfs/true" - 2>"$SCRATCH/said" ||
    { lacks "gcc cannot link statically ($(tail -n 1 "$SCRATCH/said"))" && return; }
  (cd "$SCRATCH/bundle" && runc spec && sed -i -e 's|"sh"|"/true"|' -e 's|"terminal": true|"terminal": false|' config.json)
  try "runc runs no container" runc --root "$SCRATCH/runc" run --bundle "$SCRATCH/bundle" "$NAME"
}
container

sources() {
  "$HERE/build.sh" modules >"$SCRATCH/said" 2>&1 </dev/null && return
  command -v go >/dev/null || { lacks "no go on PATH to build Kubernetes with, and none built before" && return; }
  lacks "sources of Kubernetes cannot be downloaded ($(tail -n 1 "$SCRATCH/said" | cut -c1-300))"
}
sources
finish
