/** Runs `pwd` in the sandbox with a working directory, and prints what came of it: `init.cjs work-folder base-folder cwd`. */
import { namespacesBackend } from '../../src/backend/namespaces/namespaces-backend.ts';
import { overlayStyle } from '../../src/backend/namespaces/process-status.ts';
import { findProgram } from '../../src/backend/namespaces/programs.ts';
import { folderLayer, shell } from './backend-fixture.ts';

const [, , init = '', workFolder = '', base = '', cwd = ''] = process.argv;
const programs = { setpriv: findProgram('setpriv') ?? '', unshare: findProgram('unshare') ?? '', node: process.execPath, init };
const backend = namespacesBackend({ programs, workFolder, style: overlayStyle() });
await using rootfs = await backend.open([folderLayer(base)], new AbortController().signal);
const said = await shell(rootfs, 'ls -d /proc/self/fd/9 ../../../..', { cwd }).then(
  ({ output }) => output,
  (error: Error) => error.message,
);
process.stdout.write(said);
