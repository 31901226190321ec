#!/bin/sh
# usage: collect-rootfs.sh PROGRAM FOLDER
# Lays out the smallest file system that PROGRAM runs in: itself as /bin/node, the shared libraries it is
# linked to, an unprivileged user and an empty /tmp.
set -eu
program=$1
root=$2

mkdir -p "$root/bin" "$root/etc" "$root/tmp"
chmod 1777 "$root/tmp"
cp "$program" "$root/bin/node"

# Both forms of ldd's lines: "libm.so.6 => /lib/…/libm.so.6 (0x…)" and "/lib64/ld-linux-x86-64.so.2 (0x…)".
# libnss_files and libnss_dns are loaded at run time, when a host name is looked up.
linked=$(ldd "$program" | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p')
folder=$(dirname "$(printf '%s\n' "$linked" | grep 'libc\.so')")
for library in $linked "$folder"/libnss_files.so.2 "$folder"/libnss_dns.so.2 "$folder"/libresolv.so.2; do
  [ -e "$library" ] || continue
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done

echo 'nonroot:x:65532:65532:nonroot:/app:/sbin/nologin' >"$root/etc/passwd"
echo 'nonroot:x:65532:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
  mkdir -p "$root/etc/ssl/certs"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
fi
