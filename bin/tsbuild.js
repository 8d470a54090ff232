#!/usr/bin/env node
/**
 * Starts the bundle that `npm run build` puts into dist/, with the code that V8 compiled for it in an earlier run: without that,
 * compiling is half of a short build. CommonJS, because the loader of ES modules alone costs as much as all of this.
 *
 * The compiled code lies beside the bundle and is as trusted as the bundle: it is written only into a folder of this very user.
 * V8 refuses code of another version or with other options, but would crash on bytes that are damaged, so both the bundle and
 * the code are compared with their checksums first. Whatever is wrong with it, the bundle is simply compiled.
 */
'use strict';
const { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } = require('node:fs');
const { dirname, join } = require('node:path');
const { Script } = require('node:vm');
const { crc32 } = require('node:zlib');

const bundle = join(__dirname, '..', 'dist', 'cli', 'main.cjs');
const compiled = `${bundle}.${process.version}-${process.arch}.code`;
/** Before the code: the checksums of the bundle and of the code. */
const HEADER_BYTES = 8;

if (!existsSync(bundle)) {
  console.error(
    'error: this copy of tsbuild is not built: dist/cli/main.cjs is missing\n  hint: npm ci, or npm run build, in its folder makes it',
  );
  process.exit(1);
}
const source = readFileSync(bundle);
const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source.latin1Slice()}\n})`, {
  filename: bundle,
  cachedData: readCode(),
});
const program = { exports: {} };
script.runInThisContext()(program.exports, require, program, bundle, dirname(bundle));
program.exports.main(process.argv.slice(2)).then((ended) => {
  if (ended === 'built') process.once('exit', writeCode);
});

function readCode() {
  let file;
  try {
    file = readFileSync(compiled);
  } catch {
    return undefined;
  }
  if (file.length <= HEADER_BYTES) return undefined;
  const code = file.subarray(HEADER_BYTES);
  return file.readUInt32LE(0) === crc32(source) && file.readUInt32LE(4) === crc32(code) ? code : undefined;
}

/** After a build, since only functions that ran are compiled. A build that cannot keep its code is still a good build. */
function writeCode() {
  try {
    if (existsSync(compiled) || statSync(dirname(compiled)).uid !== process.geteuid()) return;
    const code = script.createCachedData();
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(crc32(source), 0);
    header.writeUInt32LE(crc32(code), 4);
    const unfinished = `${compiled}.${process.pid}`;
    const fd = openSync(unfinished, 'wx');
    try {
      writeSync(fd, Buffer.concat([header, code]));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(unfinished, compiled);
  } catch {
    // The folder is read-only or full.
  }
}
