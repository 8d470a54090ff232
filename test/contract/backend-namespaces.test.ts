/** The namespaces rung as root, or as what is root inside a user namespace: test/integration/backend-rootless.test.ts runs this file there. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { probeNamespaces } from '../../src/backend/namespaces/probe.ts';
import type { DeviceMarks } from '../../src/layer/device-marks.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { missing } from '../helpers/tools.ts';
import { bundleFolder, bundleInit } from './backend-bundle.ts';
import { backendContract } from './backend-contract.ts';
import { devicesSuite } from './backend-devices.ts';
import { linksSuite } from './backend-links.ts';
import { namespacesSuite } from './backend-namespaces-suite.ts';

describeUnless(missing(['root', 'busybox', 'unshare', 'setpriv']), 'namespaces', () => {
  let dist: string;
  let initPath: string;
  beforeAll(() => {
    dist = bundleFolder();
    initPath = bundleInit(dist);
  });
  afterAll(() => rmSync(dist, { recursive: true, force: true }));

  const make = async (workFolder: string, devices?: DeviceMarks): Promise<Backend> => {
    const probe = await probeNamespaces({ workFolder, initPath, devices });
    if (!probe.works) throw new Error(`${probe.why}; ${probe.hint}`);
    return probe.backend();
  };
  backendContract('namespaces', make);
  linksSuite(make);
  devicesSuite(make, () => initPath);
  namespacesSuite(make, () => ({ dist, initPath }));
});
