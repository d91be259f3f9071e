#!/usr/bin/env bash
# Ends one cluster of up.sh: its own processes by their ids, its containers, mounts, namespaces, cgroups and files.
#   down.sh [NAME]
set -uo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
NAME=${1:-fairlead}
D=${FAIRLEAD_CLUSTERS:-/tmp/fairlead-clusters}/$NAME
NETNS=fairlead-$NAME
[ -e "$D/id" ] || exit 0
cd "$D" || exit 1
ID=$(cat id)
end() { # how component...
  local how=$1 name
  shift
  for name; do "$HERE/component.sh" "$NAME" "$name" "$how"; done
}

rm -f ready
end stop kubelet
end kill proxy scheduler controller-manager dns apiserver etcd # their state goes with the folder
# The namespaces of its pods: only containers that still exist name them, so they are read before those end.
PODS=$(grep -hoE 'netns/cni-[0-9a-f-]+' containerd/state/io.containerd.runtime.v2.task/k8s.io/*/config.json 2>/dev/null | sort -u | cut -d/ -f2)
for task in $(ctr -a containerd.sock -n k8s.io task ls -q 2>/dev/null); do
  ctr -a containerd.sock -n k8s.io task kill -s KILL "$task" 2>/dev/null
done
sleep 0.5
end stop containerd
pgrep -f "^/usr/bin/containerd-shim-runc-v2 .*-address $D/containerd.sock" | xargs -r kill -9 # shims outlive containerd on purpose
awk -v d="$D/" 'index($2, d) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount -l
for pod in $PODS; do ip netns del "$pod" 2>/dev/null; done
ip netns del "$NETNS"
ip link del "fl-$NAME" 2>/dev/null
ip route del "10.$((100 + ID)).0.0/24" 2>/dev/null
ip route del "10.$((200 + ID)).0.0/16" 2>/dev/null
for hierarchy in cpu cpuacct cpuset memory devices freezer blkio pids systemd unified; do
  find "/sys/fs/cgroup/$hierarchy/$NETNS" -depth -type d -exec rmdir {} + 2>/dev/null
done
rm -rf "$D"
ls -d "${D%/*}"/*/ >/dev/null 2>&1 || ip link del flnet0 2>/dev/null # the last one puts out the light
exit 0
