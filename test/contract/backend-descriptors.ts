/**
 * Opens rootfs while hardly any descriptor is free, and prints how they failed and what they left: `init.cjs work-folder base-folder`.
 */
import { closeSync, openSync, readdirSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { namespacesBackend } from '../../src/backend/namespaces/namespaces-backend.ts';
import { overlayStyle } from '../../src/backend/namespaces/process-status.ts';
import { findProgram } from '../../src/backend/namespaces/programs.ts';
import { TsbuildError } from '../../src/errors.ts';
import { openPipe } from '../../src/sys/exec.ts';
import { folderLayer } from './backend-fixture.ts';

const [, , init = '', workFolder = '', base = ''] = process.argv;
const programs = { setpriv: findProgram('setpriv') ?? '', unshare: findProgram('unshare') ?? '', node: process.execPath, init };
const backend = namespacesBackend({ programs, workFolder, style: overlayStyle() });
const never = new AbortController().signal;
const layer = folderLayer(base);
// Loads what a first run loads.
await using _first = await backend.open([layer], never);
const { readEnd, writeEnd } = openPipe();
closeSync(readEnd);
closeSync(writeEnd);

const filled = fill();
const errors: TsbuildError[] = [];
/** How many more can be opened. */
const free = (): number => {
  const more = fill();
  for (const fd of more) closeSync(fd);
  return more.length;
};
let leaked = 0;
// With more than seven free, Node itself leaks the pipes that it has made when it finds no descriptor for the next.
for (let count = 1; count <= 7; count += 1) {
  for (const fd of filled.splice(-1)) closeSync(fd);
  const before = free();
  try {
    await using _opened = await backend.open([layer], never);
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    errors.push(error);
  }
  await setTimeout(20);
  leaked += before - free();
}
for (const fd of filled) closeSync(fd);
await _first[Symbol.asyncDispose]();
const unique = (texts: (string | undefined)[]): (string | undefined)[] => [...new Set(texts)];
const codes = unique(errors.map(({ code }) => code));
process.stdout.write(
  JSON.stringify({ failed: errors.length, codes, hints: unique(errors.map(({ hint }) => hint)), leaked, left: readdirSync(workFolder) }),
);

/** Takes all descriptors that are free. */
function fill(): number[] {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync('/', 'r'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EMFILE') throw error;
  }
  return taken;
}
