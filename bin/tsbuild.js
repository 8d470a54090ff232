#!/usr/bin/env node
/**
 * Starts the bundle that `npm run build` puts into dist/, with the code that V8 compiled for it in an earlier run: without that,
 * compiling is half of a short build. CommonJS, because the loader of ES modules alone costs as much as all of this.
 *
 * The compiled code lies beside the bundle and is as trusted as the bundle: it is written only into a folder of this very user,
 * whatever the umask so that nobody else can change it, and used only when it belongs to who the bundle belongs to.
 * V8 refuses code of another version or with other options, but would crash on bytes that are damaged, so both the bundle and
 * the code are compared with their checksums first. Whatever is wrong with it, the bundle is simply compiled.
 */
'use strict';
const { closeSync, existsSync, fstatSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } = require('node:fs');
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
const code = readCode();
const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source.latin1Slice()}\n})`, {
  filename: bundle,
  cachedData: code,
});
const program = { exports: {} };
script.runInThisContext()(program.exports, require, program, bundle, dirname(bundle));
program.exports.main(process.argv.slice(2)).then((ended) => {
  // What V8 refuses is left alone: others may run the same bundle with other options of V8.
  if (ended === 'built' && code === undefined) process.once('exit', writeCode);
});

function readCode() {
  let file;
  try {
    const fd = openSync(compiled, 'r');
    try {
      const { uid, mode } = fstatSync(fd);
      if (uid !== statSync(bundle).uid || (mode & 0o022) !== 0) return undefined;
      file = readFileSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
  if (file.length <= HEADER_BYTES) return undefined;
  const code = file.subarray(HEADER_BYTES);
  return file.readUInt32LE(0) === crc32(source) && file.readUInt32LE(4) === crc32(code) ? code : undefined;
}

/** After a build, since only functions that ran are compiled. A build that cannot keep its code is still a good build. */
function writeCode() {
  const unfinished = `${compiled}.${process.pid}`;
  try {
    const user = process.geteuid();
    if (statSync(dirname(compiled)).uid !== user || statSync(bundle).uid !== user) return;
    const code = script.createCachedData();
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(crc32(source), 0);
    header.writeUInt32LE(crc32(code), 4);
    // One of this number may have been killed here.
    rmSync(unfinished, { force: true });
    const fd = openSync(unfinished, 'wx', 0o644);
    try {
      writeSync(fd, Buffer.concat([header, code]));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(unfinished, compiled);
  } catch {
    // The folder is read-only or full.
    discard(unfinished);
  }
}

function discard(file) {
  try {
    rmSync(file, { force: true });
  } catch {
    // Nor can anything be removed there.
  }
}
