#!/usr/bin/env bash
# A newer Docker Engine beside this machine's own, for tests: with a file system, a network and data of its own.
#
#   engine.sh up SUITE overlay2|containerd MIN_API FOLDER    SUITE is trixie (Engine 26.1) or sid (Engine 28.5)
#   engine.sh down SUITE FOLDER
#
# FOLDER gets the engine's socket (root/sock/docker.sock), its docker CLI (bin/), buildx (config/), and an ssh client (ssh/ssh) that gets
# in as root at the address in FOLDER/address. The engine sees no folder of this machine. It needs root, mmdebstrap and iproute2, on Debian whose mirror has that suite. Beside the machine's own engine, it must
# have a network namespace: two engines in one take each other's bridge away.
set -euo pipefail
verb=$1 suite=$2
case $suite in trixie) subnet=10.236.0 ;; sid) subnet=10.238.0 ;; *) echo "no such suite: $suite" >&2; exit 2 ;; esac
space=dockdojo-$suite link=dl-$suite
rules() { # -A or -D: its packets reach the outside, and come back
  iptables -t nat "$1" POSTROUTING -s "$subnet.0/24" ! -o "$link" -j MASQUERADE
  for way in -i -o; do iptables "${1/A/I}" FORWARD "$way" "$link" -j ACCEPT; done
}
down() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null || true)
  if [ -n "$pid" ] && kill "$pid" 2>/dev/null; then
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
  fi
  rm -f "$1/pid"
  rules -D 2>/dev/null || true
  ip link del "$link" 2>/dev/null || true
  ip netns del "$space" 2>/dev/null || true
}
if [ "$verb" = down ]; then down "$3"; exit; fi
store=$3 least=$4 home=$5
root=$home/root data=$home/$store
mkdir -p "$home" "$data"
if [ ! -x "$root/usr/sbin/dockerd" ]; then
  mirror=$(sed -nE 's/^(URIs:|deb(-src)?( \[[^]]*\])?) *(https?:\/\/[^ ]+\/debian)\/?( .*)?$/\4/p' \
    /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null | head -1 || true)
  rm -rf "$root"
  mmdebstrap --quiet --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' \
    --include=docker.io,docker-cli,docker-buildx,iptables,ca-certificates,iproute2,procps,mount,git,openssh-server \
    "$suite" "$root" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >&2
fi
down "$home"
ip netns add "$space"
ip link add "$link" type veth peer name eth0 netns "$space"
ip addr add "$subnet.1/24" dev "$link"
ip link set "$link" up
inside() { nsenter --net="/run/netns/$space" "$@"; } # `ip netns exec` would hide the control groups
inside ip addr add "$subnet.2/24" dev eth0
inside ip link set eth0 up
inside ip link set lo up
inside ip route add default via "$subnet.1"
rules -A
sysctl -qw net.ipv4.ip_forward=1
cp /etc/resolv.conf /etc/hosts "$root/etc/"
mkdir -p "$root/etc/docker" "$root/var/lib/docker" "$root/sock" "$root/outside"
rm -f "$root/sock/docker.sock"
containerd=false
[ "$store" != containerd ] || containerd=true
echo "{\"features\": {\"containerd-snapshotter\": $containerd}}" >"$root/etc/docker/daemon.json"
cat >"$root/start.sh" <<S
export DOCKER_MIN_API_VERSION=$least
mkdir -p /run/sshd && /usr/sbin/sshd -o PidFile=none -o UsePAM=no
exec dockerd -H unix:///sock/docker.sock --exec-root /run/docker --pidfile /run/docker.pid
S
# A root that was pivoted to: where it was only changed (chroot), the engine can neither exec nor unpack.
setsid nsenter --net="/run/netns/$space" unshare -m --propagation private sh -c "
  set -e
  mount --bind '$root' '$root'
  cd '$root'
  mount -t proc proc proc
  mount -t tmpfs tmpfs run
  mkdir -p run/lock
  mount --rbind /sys sys
  mount --rbind /sys/fs/cgroup sys/fs/cgroup
  mount --rbind /dev dev
  mount --bind '$data' var/lib/docker
  pivot_root . outside
  cd /
  umount -l /outside
  exec sh /start.sh" >"$home/dockerd.log" 2>&1 </dev/null &
echo $! >"$home/pid"
mkdir -p "$home/ssh" "$root/root/.ssh"
[ -f "$home/ssh/key" ] || ssh-keygen -q -t ed25519 -N '' -f "$home/ssh/key"
install -m 600 "$home/ssh/key.pub" "$root/root/.ssh/authorized_keys"
echo "$subnet.2 $(cut -d' ' -f1,2 "$root/etc/ssh/ssh_host_ed25519_key.pub")" >"$home/ssh/known_hosts"
printf '#!/bin/sh\nexec %s -F none -o IdentityFile=%s -o UserKnownHostsFile=%s "$@"\n' \
  "$(command -v ssh)" "$home/ssh/key" "$home/ssh/known_hosts" >"$home/ssh/ssh"
chmod +x "$home/ssh/ssh"
echo "$subnet.2" >"$home/address"
mkdir -p "$home/bin" "$home/config/cli-plugins"
cp -u "$root/usr/bin/docker" "$home/bin/"
cp -u "$root/usr/libexec/docker/cli-plugins/docker-buildx" "$home/config/cli-plugins/"
for _ in $(seq 300); do
  if "$home/bin/docker" -H "unix://$root/sock/docker.sock" version >/dev/null 2>&1; then exit 0; fi
  kill -0 "$(cat "$home/pid")" 2>/dev/null || break
  sleep 0.2
done
tail -3 "$home/dockerd.log" >&2
down "$home"
exit 1
