/**
 * compile.cjs APP: keeps V8's compiled code beside APP/dist/cli/main.cjs, where bin/tsbuild.js looks for it. Not that of a build, which
 * depends on the order in which functions ran, but of all functions, with a fixed hash seed: the same bytes every time. To V8 these
 * are options like those that change code, so the code gets the mark of a Node without options.
 */
'use strict';
const { spawnSync } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const { resolve } = require('node:path');
const { Script } = require('node:vm');
const { crc32 } = require('node:zlib');

const FIXED = ['--no-lazy', '--no-flush-bytecode', '--single-threaded', '--hash-seed=1', '--random-seed=1'];
/** Where V8 writes the hash of its options. Reference: V8, src/snapshot/code-serializer.h, SerializedCodeData. */
const FLAG_HASH = { at: 12, end: 16 };

const [, , app, wanted] = process.argv;
const bundle = resolve(app, 'dist/cli/main.cjs');
const source = readFileSync(bundle);
const wrapped = `(function (exports, require, module, __filename, __dirname) {${source.latin1Slice()}\n})`;

if (wanted === 'to stdout') process.stdout.write(new Script(wrapped, { filename: bundle }).createCachedData());
else keepCode();

function keepCode() {
  const child = spawnSync(process.execPath, [...FIXED, __filename, app, 'to stdout'], { maxBuffer: 1 << 26 });
  if (child.status !== 0) throw new Error(`compiling ended with ${child.status ?? child.signal}: ${child.stderr}`);
  const code = child.stdout;
  new Script('').createCachedData().copy(code, FLAG_HASH.at, FLAG_HASH.at, FLAG_HASH.end);
  if (new Script(wrapped, { filename: bundle, cachedData: code }).cachedDataRejected) throw new Error('V8 does not take the compiled code');
  const header = Buffer.alloc(8);
  header.writeUInt32LE(crc32(source), 0);
  header.writeUInt32LE(crc32(code), 4);
  writeFileSync(`${bundle}.${process.version}-${process.arch}.code`, Buffer.concat([header, code]), { mode: 0o644 });
}
