/**
 * The `namespaces` rung: each RUN in namespaces of its own on an overlay, for root and, inside a user namespace that the
 * CLI enters first (userns.ts), for an ordinary user. Whether it works here is probe.ts's question.
 */
import { makeFolder } from '../../sys/make-folder.ts';
import type { Backend } from '../backend.ts';
import { startsHere } from '../command/foreign-programs.ts';
import { openRootfs, type RootfsOptions } from './rootfs.ts';

export function namespacesBackend(options: RootfsOptions): Backend {
  return {
    name: 'namespaces',
    executes(platform) {
      makeFolder(options.workFolder);
      return startsHere(platform, options.workFolder);
    },
    form: { kind: 'overlay' },
    async open(layers, signal) {
      makeFolder(options.workFolder);
      return openRootfs(layers, options, signal);
    },
  };
}
