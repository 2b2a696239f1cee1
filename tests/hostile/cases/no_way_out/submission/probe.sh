#!/bin/sh
for way in 'mount -t tmpfs none /mnt' 'mknod /disk b 8 0' 'cat @SECRET@' 'wget -q -T 2 -O- http://172.17.0.1:2375/_ping' 'ls /var/run/docker.sock' 'chroot /proc/1/root' 'hostname other'; do
  if $way >/dev/null 2>&1; then echo "escaped by $way"; exit 1; fi
done
exec sh /main.sh
