/** Cases are folders: every folder below fixtures/ that holds a Dockerfile is one. */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import glob from 'fast-glob';

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url));

/** Names of the cases of one kind (`errors`, `plans`, `builds`), sorted. */
export function fixtureNames(kind: string): readonly string[] {
  return glob
    .globSync('*/Dockerfile', { cwd: FIXTURES + kind })
    .map(dirname)
    .sort();
}
