#!/bin/sh
# Collects the programs of the image in /tsbuild and makes them independent of everything outside of it: interpreter, libraries,
# and the files that glibc and git would look for in folders that a base image owns. Makes /out too, with /kaniko, /etc and /busybox.
set -eu

to=/tsbuild
mkdir -p $to/bin $to/lib $to/git-core /out/kaniko/.docker /out/kaniko/ssl/certs /out/etc /out/busybox
for folder in cache home tmp; do
  mkdir $to/$folder
  chmod 1777 $to/$folder
done

cp /node/bin/node $to/bin/
# `true` is what probes run.
for program in bzip2 git mount proot setpriv true umount unshare xz; do cp "$(readlink -f "/usr/bin/$program")" "$to/bin/$program"; done
chmod 755 $to/bin/*
strip $to/bin/node

cp /usr/lib/git-core/git-remote-http $to/git-core/
ln -s git-remote-http $to/git-core/git-remote-https
# "git submodule" is a script, and git asks its credential helpers through a shell.
cp "$(readlink -f "$(command -v busybox)")" $to/bin/busybox
for applet in basename cat expr sed sh test uname; do ln -s busybox "$to/bin/$applet"; done
for script in git-submodule git-sh-setup git-sh-i18n; do
  sed '1s|^#! */bin/sh|#!/tsbuild/bin/sh|' "/usr/lib/git-core/$script" >"$to/git-core/$script"
  chmod 755 "$to/git-core/$script"
done

programs=$(find $to/bin $to/git-core -type f ! -name busybox ! -name 'git-s*' | sort)
interpreter=$(readelf -p .interp $to/bin/node | sed -n 's|.* \(/lib.*\)|\1|p')
# shellcheck disable=SC2086
ldd $programs | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p' | sort -u | while read -r library; do
  cp "$(readlink -f "$library")" "$to/lib/$(basename "$library")"
done
cp "$(readlink -f "$interpreter")" $to/lib/ld.so
rm -f "$to/lib/$(basename "$interpreter")"

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
replace $to/lib/ld.so "/lib/$multiarch/" $to/lib /
replace $to/lib/ld.so "/usr/lib/$multiarch/" $to/lib /
replace $to/lib/ld.so /usr/lib/ $to /
replace $to/lib/ld.so /lib/ /sys/
replace $to/lib/ld.so /etc/ld.so.preload $to/ldpreload
replace $to/lib/ld.so /etc/ld.so.cache $to/ldcache
replace $to/lib/libc.so.6 /etc/nsswitch.conf $to/nss.conf
for program in $to/bin/git $to/git-core/git-remote-http; do
  replace "$program" /usr/lib/git-core /tsbuild/git-core
  # Without a slash it is looked up in PATH.
  replace "$program" /bin/sh sh
done
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >$to/nss.conf

# Each of them starts, and is new enough.
$to/bin/node --version
$to/bin/git --version
$to/bin/setpriv --help | grep -q landlock-rule || { echo 'setpriv has no Landlock: util-linux 2.41 or newer is needed' >&2; exit 1; }
$to/bin/proot --version >/dev/null

ln -s /tsbuild/app/bin/tsbuild.js /out/kaniko/executor
ln -s /tsbuild/app/bin/warmer.js /out/kaniko/warmer
cp /etc/ssl/certs/ca-certificates.crt /out/kaniko/ssl/certs/
cp $to/nss.conf /out/etc/nsswitch.conf
echo 'root:x:0:0:root:/tsbuild/home:/tsbuild/bin/sh' >/out/etc/passwd
echo 'root:x:0:' >/out/etc/group

cp $to/bin/busybox /out/busybox/
for applet in $(busybox --list); do [ "$applet" = busybox ] || ln -s busybox "/out/busybox/$applet"; done
