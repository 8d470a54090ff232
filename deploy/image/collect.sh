#!/bin/sh
# Collects the programs of the image in /out/tsbuild and makes them independent of everything outside of it: interpreter, libraries,
# and the files that glibc and git would look for in folders that a base image owns. Beside it /kaniko, /etc and /busybox.
# Not in /tsbuild: where tsbuild runs in place, that is its own.
set -eu

out=/out/tsbuild
to=/tsbuild
mkdir -p $out/bin $out/lib $out/git-core /out/kaniko/.docker /out/kaniko/ssl/certs /out/etc /out/busybox
for folder in cache home tmp; do
  mkdir $out/$folder
  chmod 1777 $out/$folder
done

cp /node/bin/node $out/bin/
# `true` is what probes run.
for program in bzip2 git mount proot setpriv true umount unshare xz; do cp "$(readlink -f "/usr/bin/$program")" "$out/bin/$program"; done
chmod 755 $out/bin/*
strip $out/bin/node

cp /usr/lib/git-core/git-remote-http $out/git-core/
ln -s git-remote-http $out/git-core/git-remote-https
# "git submodule" is a script, and git asks its credential helpers through a shell.
cp "$(readlink -f "$(command -v busybox)")" $out/bin/busybox
for applet in basename cat expr sed sh test uname; do ln -s busybox "$out/bin/$applet"; done
for script in git-submodule git-sh-setup git-sh-i18n; do
  sed '1s|^#! */bin/sh|#!/tsbuild/bin/sh|' "/usr/lib/git-core/$script" >"$out/git-core/$script"
  chmod 755 "$out/git-core/$script"
done

programs=$(find $out/bin $out/git-core -type f ! -name busybox ! -name 'git-s*' | sort)
interpreter=$(readelf -p .interp $out/bin/node | sed -n 's|.* \(/lib.*\)|\1|p')
# shellcheck disable=SC2086
ldd $programs | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p' | sort -u | while read -r library; do
  cp "$(readlink -f "$library")" "$out/lib/$(basename "$library")"
done
cp "$(readlink -f "$interpreter")" $out/lib/ld.so
rm -f "$out/lib/$(basename "$interpreter")"

# A NUL-ended text of a binary file becomes another of at most the same length. patchelf breaks a program of Node's size.
replace() {
  FROM=$2 TO=$3 FILL=${4-} perl -0777 -i -pe '
    ($from, $to, $fill) = @ENV{"FROM", "TO", "FILL"};
    $fill = "\0" if $fill eq "";
    die "longer than $from: $to\n" if length $to > length $from;
    $to .= $fill x (length($from) - length $to);
    die "not in $ARGV: $from\n" unless s/\0\Q$from\E\0/\0$to\0/g;
  ' "$1"
}
for program in $programs; do
  # The first one, which is not always after a NUL.
  FROM=$interpreter perl -0777 -i -pe '
    $to = "/tsbuild/lib/ld.so";
    s|\Q$ENV{FROM}\E\0|$to . "\0" x (length($ENV{FROM}) - length($to) + 1)|e or die "no interpreter in $ARGV\n";
  ' "$program"
done
# Where libraries are looked for. A base image must not make these programs load some of its own: no folder here is one of its.
multiarch=$(basename "$(dirname "$(readlink -f /lib/*-linux-gnu*/libc.so.6)")")
replace $out/lib/ld.so "/lib/$multiarch/" $to/lib /
replace $out/lib/ld.so "/usr/lib/$multiarch/" $to/lib /
replace $out/lib/ld.so /usr/lib/ $to /
replace $out/lib/ld.so /lib/ /sys/
replace $out/lib/ld.so /etc/ld.so.preload $to/ldpreload
replace $out/lib/ld.so /etc/ld.so.cache $to/ldcache
replace $out/lib/libc.so.6 /etc/nsswitch.conf $to/nss.conf
for program in $out/bin/git $out/git-core/git-remote-http; do
  replace "$program" /usr/lib/git-core /tsbuild/git-core
  # Without a slash it is looked up in PATH.
  replace "$program" /bin/sh sh
done
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >$out/nss.conf

# Each of them starts, and is new enough.
start() { program=$1; shift; "$out/lib/ld.so" --library-path "$out/lib" "$program" "$@"; }
start $out/bin/node --version
start $out/bin/git --version
start $out/bin/setpriv --help | grep -q landlock-rule || { echo 'setpriv has no Landlock: util-linux 2.41 or newer is needed' >&2; exit 1; }
start $out/bin/proot --version >/dev/null

ln -s /tsbuild/app/bin/tsbuild.js /out/kaniko/executor
ln -s /tsbuild/app/bin/warmer.js /out/kaniko/warmer
cp /etc/ssl/certs/ca-certificates.crt /out/kaniko/ssl/certs/
cp $out/nss.conf /out/etc/nsswitch.conf
echo 'root:x:0:0:root:/tsbuild/home:/tsbuild/bin/sh' >/out/etc/passwd
echo 'root:x:0:' >/out/etc/group

cp $out/bin/busybox /out/busybox/
for applet in $(busybox --list); do [ "$applet" = busybox ] || ln -s busybox "/out/busybox/$applet"; done
