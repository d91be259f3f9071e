#!/usr/bin/env bash
# Boots one real Kubernetes cluster of one node, without Docker, in a network namespace of its own; prints its KUBECONFIG.
#   up.sh [NAME] [IMAGE.tar ...]     NAME: default "fairlead"; several clusters may run side by side
# etcd, kube-apiserver (Node, RBAC), controller-manager, scheduler, containerd + runc, kubelet, kube-proxy, CoreDNS.
# Everything lives in $FAIRLEAD_CLUSTERS/NAME (default /tmp/fairlead-clusters), which down.sh removes. Needs root, and
# Linux with cgroup v1 hierarchies (hybrid is fine). The host reaches pods and Services by routes through the node.
set -Eeuo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
NAME=${1:-fairlead}
[ $# -gt 0 ] && shift
IMAGES=()
for image; do IMAGES+=("$(realpath -e "$image")"); done
[ "$(id -u)" = 0 ] || { echo "a cluster needs root: namespaces, mounts, cgroups" >&2; exit 1; }
[[ $NAME =~ ^[a-z][a-z0-9]{0,8}$ ]] || { echo "name: got $NAME, want at most 9 lower case letters and digits" >&2; exit 1; }
[ -d /sys/fs/cgroup/cpuset ] || { echo "no cgroup v1 hierarchy here: use a cluster of your own with KUBECONFIG=..." >&2; exit 1; }
BIN=$("$HERE/build.sh")
CLUSTERS=${FAIRLEAD_CLUSTERS:-/tmp/fairlead-clusters}
D=$CLUSTERS/$NAME
mkdir -p "$CLUSTERS"
if [ -e "$D/ready" ]; then
  echo "export KUBECONFIG=$D/admin.conf PATH=$BIN:\$PATH"
  exit 0
fi
[ ! -e "$D" ] || { echo "$D: half a cluster, want none: run down.sh $NAME" >&2; exit 1; }

# The lowest free number gives the addresses; the folder's creation under the lock takes it.
exec 9>"$CLUSTERS/.lock"
flock 9
for ID in 1 2 3 4 5 6 7 8 9 none; do grep -qsx "$ID" "$CLUSTERS"/*/id || break; done
[ "$ID" != none ] || { echo "nine clusters are up: take one down" >&2; exit 1; }
mkdir -p "$D"/{pki,log,cni,run}
echo "$ID" >"$D/id"
echo "$BIN" >"$D/bin"
flock -u 9
exec 9>&-
cd "$D"
trap 'echo "the cluster did not come up" >&2; tail -n 3 "$D"/log/*.log >&2; "$HERE/down.sh" "$NAME"' ERR
NODE=10.250.0.$ID PODS=10.$((100 + ID)).0 SERVICES=10.$((200 + ID)).0
NETNS=fairlead-$NAME

network() { # a bridge on the host, a namespace per cluster, and the routes from the host to its pods and Services
  ip link show flnet0 >/dev/null 2>&1 || { ip link add flnet0 type bridge && ip addr add 10.250.0.254/24 dev flnet0 && ip link set flnet0 up; }
  ip netns add "$NETNS"
  ip link add "fl-$NAME" type veth peer name eth0 netns "$NETNS"
  ip link set "fl-$NAME" master flnet0 up
  local in="nsenter --net=/run/netns/$NETNS"
  $in ip link set lo up
  $in ip addr add "$NODE/24" dev eth0
  $in ip link set eth0 up
  $in ip route add default via 10.250.0.254
  $in sysctl -qw net.ipv4.ip_forward=1
  ip route replace "$PODS.0/24" via "$NODE"
  ip route replace "$SERVICES.0/16" via "$NODE"
}

certificates() {
  cd pki
  key() { openssl ecparam -genkey -name prime256v1 -noout -out "$1.key"; }
  key ca && key sa
  openssl req -x509 -new -key ca.key -out ca.crt -days 30 -subj /CN=fairlead-e2e
  certificate() { # name subject alternative-names
    key "$1"
    openssl req -new -key "$1.key" -subj "$2" |
      openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -out "$1.crt" -days 30 -extfile <(echo "subjectAltName=$3")
  }
  certificate apiserver /CN=kube-apiserver "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:$SERVICES.1,IP:$NODE"
  certificate to-kubelet /O=system:masters/CN=kube-apiserver DNS:apiserver
  certificate to-extensions /CN=front-proxy DNS:apiserver
  certificate admin /O=system:masters/CN=admin DNS:admin
  certificate kubelet "/O=system:nodes/CN=system:node:$NAME" "DNS:$NAME,IP:$NODE"
  certificate controller-manager /CN=system:kube-controller-manager DNS:controller-manager
  certificate scheduler /CN=system:kube-scheduler DNS:scheduler
  certificate proxy /CN=system:kube-proxy DNS:proxy
  certificate dns /O=system:masters/CN=coredns DNS:dns
  cd ..
  local user
  for user in admin kubelet controller-manager scheduler proxy dns; do
    cat >$user.conf <<CONF
{apiVersion: v1, kind: Config, current-context: $NAME, contexts: [{name: $NAME, context: {cluster: $NAME, user: $user}}],
 clusters: [{name: $NAME, cluster: {server: "https://$NODE:6443", certificate-authority-data: $(base64 -w0 pki/ca.crt)}}],
 users: [{name: $user, user: {client-certificate-data: $(base64 -w0 pki/$user.crt), client-key-data: $(base64 -w0 pki/$user.key)}}]}
CONF
  done
}

component() { # name command...: a file that starts it inside the namespace, so that a test can stop and start it again
  local name=$1
  shift
  printf 'exec nsenter --net=/run/netns/%s' "$NETNS" >"run/$name.sh"
  printf ' %q' "$@" >>"run/$name.sh"
  "$HERE/component.sh" "$NAME" "$name" start
}

wait_for() { # seconds command...
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || { echo "waited in vain for: $* (logs in $D/log)" >&2; return 1; }
    sleep 0.1
  done
}

# "ok" and nothing else: earlier, the RBAC roles are not there yet and controller-manager and scheduler die
api_ready() { [ "$("$BIN/kubectl" --kubeconfig admin.conf get --raw /readyz)" = ok ]; }

control_plane() {
  cat >audit.yaml <<CONF # what the operator asks of the API server: tests compare it with what its roles allow
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, users: ["system:serviceaccount:fairlead:fairlead"]}
  - {level: None}
CONF
  component etcd "$BIN/etcd" --data-dir "$D/etcd" --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 \
    --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \
    --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster default=http://127.0.0.1:2380
  component apiserver "$BIN/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --advertise-address="$NODE" --secure-port=6443 \
    --service-cluster-ip-range="$SERVICES.0/16" --tls-cert-file=pki/apiserver.crt --tls-private-key-file=pki/apiserver.key \
    --client-ca-file=pki/ca.crt --kubelet-preferred-address-types=InternalIP --kubelet-client-certificate=pki/to-kubelet.crt \
    --kubelet-client-key=pki/to-kubelet.key --kubelet-certificate-authority=pki/ca.crt \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=pki/sa.key \
    --service-account-signing-key-file=pki/sa.key --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --requestheader-client-ca-file=pki/ca.crt --requestheader-allowed-names=front-proxy \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file=pki/to-extensions.crt --proxy-client-key-file=pki/to-extensions.key \
    --audit-policy-file=audit.yaml --audit-log-path="$D/log/audit.log" --audit-log-mode=blocking
  wait_for 180 api_ready
  # An API server that is stopped for a minute is no dead node: hence the long grace period. An autoscaler looks at once
  # at what metrics-server has.
  component controller-manager "$BIN/kube-controller-manager" --kubeconfig=controller-manager.conf \
    --authentication-kubeconfig=controller-manager.conf --authorization-kubeconfig=controller-manager.conf \
    --use-service-account-credentials --service-account-private-key-file=pki/sa.key --root-ca-file=pki/ca.crt \
    --leader-elect=false --bind-address=127.0.0.1 --node-monitor-grace-period=180s --horizontal-pod-autoscaler-sync-period=2s
  component scheduler "$BIN/kube-scheduler" --kubeconfig=scheduler.conf --authentication-kubeconfig=scheduler.conf \
    --authorization-kubeconfig=scheduler.conf --leader-elect=false --bind-address=127.0.0.1
}

runtime() {
  cat >cni/10-pods.conflist <<CONF
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$PODS.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "$D/ipam"}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
CONF
  cat >containerd.toml <<CONF
version = 2
root = "$D/containerd/root"
state = "$D/containerd/state"
[grpc]
  address = "$D/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$D/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true  # without it: runc create failed, unable to start container process
  sandbox_image = "localhost/pause:local"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$D/cni"
CONF
  component containerd containerd -c containerd.toml
  wait_for 120 ctr -a containerd.sock version
  local image
  for image in "$BIN/pause.tar" ${IMAGES[@]+"${IMAGES[@]}"}; do ctr -a containerd.sock -n k8s.io images import "$image" >/dev/null; done
}

node() {
  local hierarchy file
  for hierarchy in cpu cpuacct cpuset memory devices freezer blkio pids systemd; do # two kubelets must not share /kubepods
    mkdir -p "/sys/fs/cgroup/$hierarchy/$NETNS"
  done
  # All pods are one group beside single processes of the root group, the control plane's and everybody else's: with the
  # default of 1024 they would get as much CPU as one of those together.
  echo 32768 >"/sys/fs/cgroup/cpu/$NETNS/cpu.shares"
  for file in cpus mems; do cat "/sys/fs/cgroup/cpuset/cpuset.$file" >"/sys/fs/cgroup/cpuset/$NETNS/cpuset.$file"; done
  echo "nameserver 127.0.0.1" >resolv.conf
  cat >kubelet.yaml <<CONF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$D/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$NETNS
oomScoreAdj: 0
failSwapOn: false
clusterDNS: ["$NODE"]
clusterDomain: cluster.local
resolvConf: $D/resolv.conf
authentication: {anonymous: {enabled: false}, x509: {clientCAFile: $D/pki/ca.crt}, webhook: {enabled: true}}
authorization: {mode: Webhook}
tlsCertFile: $D/pki/kubelet.crt
tlsPrivateKeyFile: $D/pki/kubelet.key
enforceNodeAllocatable: []
imageGCHighThresholdPercent: 100
evictionHard: {imagefs.available: "1%", nodefs.available: "1%", memory.available: 100Mi}
CONF
  component kubelet "$BIN/kubelet" --config=kubelet.yaml --kubeconfig=kubelet.conf --hostname-override="$NAME" \
    --node-ip="$NODE" --root-dir="$D/kubelet" --cert-dir="$D/kubelet/pki"
  # Not as one JSON object: a file that begins with { is parsed as JSON, comments and all
  cat >proxy.yaml <<CONF
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: {kubeconfig: $D/proxy.conf}
clusterCIDR: $PODS.0/24
hostnameOverride: $NAME
conntrack: {maxPerCore: 0}
iptables: {minSyncPeriod: 100ms}
CONF
  component proxy "$BIN/kube-proxy" --config=proxy.yaml
  cat >Corefile <<CONF
.:53 {
  bind $NODE
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig $D/dns.conf
    ttl 5
  }
  cache 5
}
CONF
  component dns "$BIN/coredns" -conf Corefile
}

node_ready() { "$BIN/kubectl" --kubeconfig admin.conf get node "$NAME" | grep -q ' Ready'; }

network
certificates 2>log/certificates.log
control_plane
runtime
node
wait_for 180 node_ready
touch ready
echo "export KUBECONFIG=$D/admin.conf PATH=$BIN:\$PATH"
