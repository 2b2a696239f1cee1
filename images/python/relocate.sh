#!/bin/sh
# Moves the distribution's Python below /usr/local: relocate.sh UNPACKED OUT
# Python finds its prefix from where its program lies, so moving it is enough; what is
# edited is only the distribution's own idea of where packages go (dist-packages).
set -eu
from=$1
out=$2
lib=$out/usr/local/lib/python3.11
mkdir -p "$out/usr/local/bin" "$out/usr/local/lib" "$out/usr/share" "$out/usr/local/include"
cp -a "$from/usr/lib/python3.11" "$lib"
cp -a "$from"/usr/lib/*-linux-gnu/libpython3.11.so.1* "$out/usr/local/lib/"
cp -a "$from/usr/share/python-wheels" "$out/usr/share/python-wheels"
cp -aL "$from/usr/include/python3.11" "$out/usr/local/include/python3.11"
for real in "$from"/usr/include/*-linux-gnu/python3.11/pyconfig.h; do
    cp "$real" "$out/usr/local/include/python3.11/pyconfig.h"
done
ln -s libpython3.11.so.1.0 "$out/usr/local/lib/libpython3.11.so"
gcc -O2 -s -o "$out/usr/local/bin/python3.11" "$(dirname "$0")/launch.c" -L"$out/usr/local/lib" -lpython3.11 \
    -Wl,--allow-shlib-undefined -Wl,-rpath,'$ORIGIN/../lib'
ln -s python3.11 "$out/usr/local/bin/python3"
ln -s python3.11 "$out/usr/local/bin/python"

rm -rf "$lib"/config-3.11-* "$lib/EXTERNALLY-MANAGED" "$lib/_distutils_system_mod.py" \
       "$lib/sitecustomize.py" "$lib/test" "$lib"/lib-dynload/*test*.so "$lib"/lib-dynload/xxlimited*.so "$lib"/lib-dynload/nis.*.so
find "$out" -name '__pycache__' -prune -exec rm -rf {} +

# sysconfig: pip installs into site-packages of the prefix, as everywhere but on Debian.
sed -i "s/prefix_scheme = 'posix_local'/prefix_scheme = 'posix_prefix'/; s/'DEB_PYTHON_INSTALL_LAYOUT', 'posix_local'/'DEB_PYTHON_INSTALL_LAYOUT', 'posix_prefix'/" "$lib/sysconfig.py"
# site: the same, in the file and in the copy of it that is frozen into the program (same lengths).
sed -i 's/if is_virtual_environment:/if True:/; /prefix, "local\/lib",/,/sitepackages.append(path)/d' "$lib/site.py"
# sysconfig's record of the build: setuptools asks it where the headers are.
sed -i "s#/usr/\(include\|lib\|bin\)#/usr/local/\1#g; s#: '/usr'#: '/usr/local'#g" "$lib"/_sysconfigdata_*.py
mkdir -p "$lib/site-packages"
LC_ALL=C sed -i 's#dist-packages\x00#site-packages\x00#g; s#\x00local/lib\x00#\x00./././lib\x00#g' \
    "$out"/usr/local/lib/libpython3.11.so.1.0
