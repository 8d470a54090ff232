/** A process that runs a command in a sandbox until it is killed: `init.cjs work-folder base-folder seconds`. */
import { namespacesBackend } from '../../src/backend/namespaces/namespaces-backend.ts';
import { overlayStyle } from '../../src/backend/namespaces/process-status.ts';
import { findProgram } from '../../src/backend/namespaces/programs.ts';
import { folderLayer, shell } from './backend-fixture.ts';

const [, , init = '', workFolder = '', base = '', seconds = ''] = process.argv;
const programs = { setpriv: findProgram('setpriv') ?? '', unshare: findProgram('unshare') ?? '', node: process.execPath, init };
const backend = namespacesBackend({ programs, workFolder, style: overlayStyle() });
const rootfs = await backend.open([folderLayer(base)], new AbortController().signal);
await shell(rootfs, `trap '' HUP TERM INT; sleep ${seconds} & sleep ${seconds}`);
