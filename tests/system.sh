#!/usr/bin/env bash
# The Debian packages that tests run: a real Redis-protocol store, a real Prometheus, a real browser, JSON parsers of other languages. Says
# what it installs, and installs nothing where the programs are there already. No service is started: the tests start their
# own, on ports of their own. And room for many Envoys at once.
set -euo pipefail

# A kernel lends 128 of these to each user, and each Envoy of the tests takes some while other work takes others.
instances=/proc/sys/fs/inotify/max_user_instances
if [ -r "$instances" ] && [ "$(<"$instances")" -lt 1024 ]; then
  if { echo 1024 >"$instances"; } 2>/dev/null; then
    echo "tests: set fs.inotify.max_user_instances to 1024, for many Envoys at once"
  else
    echo "tests: fs.inotify.max_user_instances is $(<"$instances"); where many Envoys run at once, Envoy ends with" \
      "\`inotify_fd_ >= 0\` until \`sudo sysctl fs.inotify.max_user_instances=1024\`" >&2
  fi
fi

missing=()
command -v redis-server >/dev/null || command -v valkey-server >/dev/null || missing+=(redis-server)
command -v prometheus >/dev/null && command -v promtool >/dev/null || missing+=(prometheus)
command -v chromium >/dev/null || missing+=(chromium)
command -v ruby >/dev/null || missing+=(ruby)
command -v perl >/dev/null || missing+=(perl)
command -v g++ >/dev/null || missing+=(g++)
[ -e /usr/include/jsoncpp/json/json.h ] || missing+=(libjsoncpp-dev)
command -v node >/dev/null && [ -e /usr/share/nodejs/json5 ] || missing+=(node-json5)
[ ${#missing[@]} -gt 0 ] || exit 0

sudo=()
if [ "$(id -u)" != 0 ]; then sudo=(sudo -n); fi
if ! command -v apt-get >/dev/null || ! "${sudo[@]}" true 2>/dev/null; then
  echo "tests: got no ${missing[*]}, want these programs in PATH; run \`sudo apt-get install ${missing[*]}\`, or install" \
    "them as your system does" >&2
  exit 1
fi
echo "tests: installing ${missing[*]} (apt)"

# https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt: 101 = do not start it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '"${sudo[@]}" rm -f "$policy"' EXIT
  "${sudo[@]}" sh -c "printf '#!/bin/sh\nexit 101\n' > $policy && chmod 755 $policy"
fi
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
