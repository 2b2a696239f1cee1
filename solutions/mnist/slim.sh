#!/bin/sh
# Makes a root file system of what Python and PyTorch need, and of nothing else. See README.md for the sizes.
set -eu
root=$1
here=/usr/local/lib/python3.11
packages=$here/site-packages

# What training never calls: unit tests, C++ headers and programs, and what installs packages.
find "$packages"/torch/bin -type f ! -name torch_shm_manager -delete # that one shares tensors between processes
rm -rf "$packages"/torch/test "$packages"/torch/include "$packages"/torch/share \
       "$packages"/torch/lib/*test*.so "$packages"/torch/lib/libbackend_with_compiler.so
rm -rf "$packages"/pip "$packages"/pip-* "$packages"/wheel "$packages"/wheel-* "$packages"/setuptools* "$packages"/pkg_resources \
       "$packages"/_distutils_hack "$packages"/distutils-precedence.pth
find "$packages"/numpy "$packages"/sympy "$packages"/networkx "$packages"/mpmath -type d -name tests -prune -exec rm -rf {} +
rm -rf $here/test $here/idlelib $here/tkinter $here/turtledemo $here/ensurepip $here/lib2to3 $here/config-3*
rm -rf "$packages"/numpy/*/lib "$packages"/numpy/_core/include "$packages"/numpy/f2py "$packages"/sympy/*/benchmarks
find "$packages" \( -name '*.pyi' -o -name '*.a' -o -name '*.h' -o -name '*.cpp' -o -name '*.pxd' -o -name sboms \) -prune -exec rm -rf {} +
(cd "$packages"/torch/testing/_internal && rm -rf common_methods_invocations.py opinfo generated distributed)
rm -rf $here/pydoc_data $here/distutils $here/lib-dynload/nis.* $here/lib-dynload/_dbm.*
find $here -type d -name __pycache__ -prune -exec rm -rf {} +
# The names of functions, for debuggers: the dynamic linker needs other tables, and they stay. (Libraries that a wheel's
# maker has patched do not survive this, so it is torch's own only.)
strip --strip-unneeded "$packages"/torch/lib/libtorch*.so "$packages"/torch/lib/libc10.so \
      $(find /usr/local/bin /usr/local/lib -maxdepth 1 -type f \( -name 'python3.*[0-9]' -o -name 'libpython*.so.*' \))

# Debian's folders: /bin and /lib are names for what is in /usr.
mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/etc" "$root/usr/local/bin"
for folder in bin lib lib64 sbin; do
  if [ -L /$folder ]; then ln -s "usr/$folder" "$root/$folder"; mkdir -p "$root/usr/$folder"; fi
done
install -d -m 1777 "$root/tmp"
install -d -o 1000 -g 1000 "$root/workspace" # nothing is mounted there: an ordinary user's

# Python itself.
cp -a /usr/local/bin/python* "$root/usr/local/bin/"
rm -f "$root"/usr/local/bin/*config*
mkdir -p "$root/usr/local/lib"
cp -a $here "$root/usr/local/lib/"
cp -aL --parents /bin/sh /usr/bin/env /etc/passwd /etc/group "$root"
for path in /etc/nsswitch.conf /etc/ssl/certs/ca-certificates.crt /usr/lib/locale/C.utf8 /usr/lib/ssl; do
  if [ -e $path ]; then cp -a --parents $path "$root"; fi
done

# The shared libraries that those, and all that they load, are linked against.
find "$root" -type f \( -name '*.so*' -o -perm -u=x \) -exec ldd {} + 2>/dev/null |
  awk '/=> \// { print $3 } /^[[:space:]]*\/.*ld-linux/ { print $1 }' | sort -u |
  while read -r library; do
    case $library in
      "$root"/*) continue ;; # a library that a package brings along
      *) cp -L --parents "$library" "$root" ;;
    esac
  done
for path in /etc/ld.so.conf /etc/ld.so.conf.d; do cp -a $path "$root/etc/"; done
ldconfig -r "$root"
