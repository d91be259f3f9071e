#!/usr/bin/env bash
# Starts or ends one component of a cluster, by the process id that it was started with.
#   component.sh CLUSTER COMPONENT start|stop|kill
# COMPONENT: etcd apiserver controller-manager scheduler containerd kubelet proxy dns; kill is -9, stop gives it 5 s
set -euo pipefail
CLUSTER=$1 COMPONENT=$2 ACTION=$3
cd "${FAIRLEAD_CLUSTERS:-/tmp/fairlead-clusters}/$CLUSTER"
PID=run/$COMPONENT.pid

# A dead process may stay a zombie until the init of a container gets to it: that one is not alive.
alive() { [ -e "$PID" ] && grep -qsE "^State:[[:space:]]+[^ZX[:space:]]" "/proc/$(cat "$PID")/status"; }
gone_within() { # tenths of a second
  local left
  for ((left = $1; left > 0; left--)); do
    alive || return 0
    sleep 0.1
  done
  return 1
}

case $ACTION in
  start)
    alive && exit 0
    setsid bash "run/$COMPONENT.sh" >>"log/$COMPONENT.log" 2>&1 </dev/null &
    echo $! >"$PID"
    ;;
  stop | kill)
    if alive; then
      [ "$ACTION" = kill ] || { kill "$(cat "$PID")" && gone_within 50; } || true
      alive && kill -9 "$(cat "$PID")" && gone_within 100
    fi
    rm -f "$PID"
    ;;
  *)
    echo "action: got $ACTION, want start, stop or kill" >&2
    exit 1
    ;;
esac
