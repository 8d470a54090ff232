/**
 * compile.cjs APP: keeps V8's compiled code of a build without RUN beside APP/dist/cli/main.cjs, as bin/tsbuild.js would after it, but
 * the same bytes every time: with a fixed hash seed. To V8 that is an option like those that change code, so the code gets the mark
 * of a Node without options.
 */
'use strict';
const { spawnSync } = require('node:child_process');
const { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { dirname, join, resolve } = require('node:path');
const { Script } = require('node:vm');
const { crc32 } = require('node:zlib');

/** Where V8 writes the hash of its options. Reference: V8, src/snapshot/code-serializer.h, SerializedCodeData. */
const FLAG_HASH = { at: 12, end: 16 };
const FIXED = ['--hash-seed=1', '--random-seed=1', '--no-flush-bytecode'];

const bundle = resolve(process.argv[2], 'dist/cli/main.cjs');
const source = readFileSync(bundle);
const wrapped = `(function (exports, require, module, __filename, __dirname) {${source.latin1Slice()}\n})`;

if (process.argv[3] === undefined) keepCode();
else compileIn(process.argv[3]);

function keepCode() {
  const scratch = mkdtempSync(join(tmpdir(), 'compile-'));
  try {
    const child = spawnSync(process.execPath, [...FIXED, __filename, process.argv[2], scratch], { encoding: 'utf8' });
    if (child.status !== 0) throw new Error(`the build that is to be compiled ended with ${child.status ?? child.signal}: ${child.stderr}`);
    const code = readFileSync(join(scratch, 'code'));
    new Script('').createCachedData().copy(code, FLAG_HASH.at, FLAG_HASH.at, FLAG_HASH.end);
    if (new Script(wrapped, { filename: bundle, cachedData: code }).cachedDataRejected)
      throw new Error('V8 does not take its compiled code');
    const header = Buffer.alloc(8);
    header.writeUInt32LE(crc32(source), 0);
    header.writeUInt32LE(crc32(code), 4);
    writeFileSync(`${bundle}.${process.version}-${process.arch}.code`, Buffer.concat([header, code]), { mode: 0o644 });
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function compileIn(scratch) {
  const context = join(scratch, 'context');
  mkdirSync(context);
  writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY . /\n');
  const script = new Script(wrapped, { filename: bundle });
  const program = { exports: {} };
  script.runInThisContext()(program.exports, require, program, bundle, dirname(bundle));
  const flags = [
    `--context=${context}`,
    '--no-push',
    `--oci-layout-path=${join(scratch, 'layout')}`,
    `--cache-dir=${join(scratch, 'cache')}`,
  ];
  program.exports.main([...flags, '--progress=plain']).then((ended) => {
    if (ended === 'built') process.once('exit', () => writeFileSync(join(scratch, 'code'), script.createCachedData()));
  });
}
