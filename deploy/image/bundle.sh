#!/bin/sh
# Copies what runs of a built checkout into folder $1: the bundle, and of node_modules the one package that is no JavaScript.
set -eu

to=$1
koffi=node_modules/koffi
mkdir -p "$to/bin" "$to/$koffi/src/koffi/src" "$to/node_modules/@koromix"
cp LICENSE "$to/"
cp bin/package.json "$to/bin/"
for script in bin/tsbuild.js deploy/image/warmer.js; do
  sed '1s|.*|#!/tsbuild/bin/node|' "$script" >"$to/bin/$(basename "$script")"
  chmod 755 "$to/bin/$(basename "$script")"
done
cp -r dist "$to/"
rm -rf "$to"/dist/demo "$to"/dist/cli/*.code
cp "$koffi/package.json" "$koffi/index.cjs" "$koffi/LICENSE.txt" "$to/$koffi/"
(cd "$koffi/src/koffi" && cp index.cjs "$to/$koffi/src/koffi/" && cp src/*.cjs "$to/$koffi/src/koffi/src/")
cp -r node_modules/@koromix/koffi-linux-* "$to/node_modules/@koromix/"
rm -rf "$to"/node_modules/@koromix/*/musl_*
