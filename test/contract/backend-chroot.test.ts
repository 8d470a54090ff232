/** The chroot rung as root. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { probeChroot } from '../../src/backend/chroot/probe.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { missing } from '../helpers/tools.ts';
import { bundleFolder, bundleRun } from './backend-bundle.ts';
import { chrootSuite } from './backend-chroot-suite.ts';
import { backendContract } from './backend-contract.ts';

const NO_PROC = 'there is no /proc';
const COPIES = 'mounts are copies, which a command may write to';

describeUnless(missing(['root', 'busybox']), 'chroot', () => {
  let dist: string;
  let run: string;
  beforeAll(() => {
    dist = bundleFolder();
    run = bundleRun(dist);
  });
  afterAll(() => rmSync(dist, { recursive: true, force: true }));

  const make = async (workFolder: string, warn: (message: string) => void = () => undefined): Promise<Backend> => {
    const probe = await probeChroot({ workFolder, programs: { node: process.execPath, run }, warn });
    if (!probe.works) throw new Error(`${probe.why}; ${probe.hint}`);
    return probe.backend();
  };
  backendContract('chroot', (workFolder) => make(workFolder), {
    'lets user 0 open /dev/stdout and /dev/stderr': NO_PROC,
    'lets user 1234 open /dev/stdout and /dev/stderr': NO_PROC,
    'ignores and blocks no signal': NO_PROC,
    'leaves no descriptor open but the standard ones': NO_PROC,
    'has no network but a loopback when that is asked for': NO_PROC,
    'has the given host name, which resolves as localhost does': 'the name belongs to the machine',
    'hold the content of the files, readable until the rootfs is disposed of': 'the next command changes the same files',
    'of memory have their size and mode, and their content is dropped': 'a folder has no size',
    'of a folder are shared with the machine, unless they are read-only': COPIES,
    'of layers show a folder of them, with whiteouts at work': COPIES,
  });
  chrootSuite(make);
});
