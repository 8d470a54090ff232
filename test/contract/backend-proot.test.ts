/** The proot rung for whoever runs this; as root test/integration/backend-proot.test.ts runs this file as an ordinary user without any rights. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { probeProot } from '../../src/backend/proot/probe.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { testProot } from '../helpers/proot.ts';
import { missing } from '../helpers/tools.ts';
import { bundleFolder, bundleProot } from './backend-bundle.ts';
import { backendContract } from './backend-contract.ts';
import { prootSuite } from './backend-proot-suite.ts';

const proot = testProot();
const lacking =
  process.getuid?.() === 0 ? 'needs an ordinary user' : proot === undefined ? 'needs proot 5.4 (.ci/fetch-proot)' : missing(['busybox']);

const NO_NETWORK = 'the network is that of the machine';
const COPIES = 'mounts are copies, which a command may write to';

describeUnless(lacking, 'proot', () => {
  let dist: string;
  let run: string;
  beforeAll(() => {
    dist = bundleFolder();
    run = bundleProot(dist);
  });
  afterAll(() => rmSync(dist, { recursive: true, force: true }));

  const make = async (workFolder: string): Promise<Backend> => {
    const probe = await probeProot({ workFolder, node: process.execPath, run, ...(proot === undefined ? {} : { proot }) });
    if (!probe.works) throw new Error(`${probe.why}; ${probe.hint}`);
    return probe.backend();
  };
  backendContract('proot', make, {
    'runs as the user, with its groups and no others': 'it has no supplementary groups',
    'has no network but a loopback when that is asked for': NO_NETWORK,
    'hold the content of the files, readable until the rootfs is disposed of': 'the next command changes the same files',
    'of memory have their size and mode, and their content is dropped': 'a folder has no size',
    'of a file show its bytes with mode and owner, to those who may read it': 'on the disk all files are of one user',
    'of a folder are shared with the machine, unless they are read-only': COPIES,
    'of layers show a folder of them, with whiteouts at work': COPIES,
  });
  prootSuite(make);
});
