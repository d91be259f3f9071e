#!/bin/sh
# What mmdebstrap runs in a base system whose packages it has extracted: settle.sh ROOT
# Which packages those were stays in var/lib/dpkg/status.d, where scanners look, and release/sbom.py; of their documents the licences stay.
set -eu
root=$1
mkdir -p "$root/var/lib/dpkg/status.d"
for deb in "$root"/var/cache/apt/archives/*.deb; do
  dpkg-deb --field "$deb" >"$root/var/lib/dpkg/status.d/$(dpkg-deb --field "$deb" Package)"
done
find "$root/usr/share/doc" ! -type d ! -name copyright -delete
find "$root/usr/share/doc" -type d -empty -delete
rm -rf "$root/usr/share/man" "$root/usr/share/locale"
printf 'root:x:0:0::/:\nfairlead:x:65532:65532::/tmp:\n' >"$root/etc/passwd"
