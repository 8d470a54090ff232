/** Prints what the probe of the namespaces rung says: `init.cjs work-folder`. */
import { probeNamespaces } from '../../src/backend/namespaces/probe.ts';

const [, , initPath = '', workFolder = ''] = process.argv;
process.stdout.write(`${JSON.stringify(await probeNamespaces({ workFolder, initPath }))}\n`);
