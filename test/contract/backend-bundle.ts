/** Bundles parts of the namespaces backend that run as processes of their own, somewhere from where koffi can be loaded. */
import { mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** A temporary folder, for the caller to remove, in which bundles find node_modules. */
export function bundleFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-bundle-'));
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** Bundles a source file: CommonJS as build.mjs does when `name` ends with .cjs, else an ES module. Returns the bundle's path. */
export function bundle(folder: string, source: URL, name: string): string {
  const outfile = join(folder, name);
  const commonJs = name.endsWith('.cjs');
  buildSync({
    entryPoints: [fileURLToPath(source)],
    outfile,
    bundle: true,
    platform: 'node',
    format: commonJs ? 'cjs' : 'esm',
    ...(commonJs ? { define: { 'import.meta.filename': '__filename', 'import.meta.dirname': '__dirname' } } : {}),
    target: 'node20',
    external: ['koffi'],
    logLevel: 'warning',
  });
  return outfile;
}

export function bundleInit(folder: string): string {
  return bundle(folder, new URL('../../src/backend/namespaces/init.ts', import.meta.url), 'init.cjs');
}

export function bundleRun(folder: string): string {
  return bundle(folder, new URL('../../src/backend/command/run.ts', import.meta.url), 'run.cjs');
}

export function bundleProot(folder: string): string {
  return bundle(folder, new URL('../../src/backend/proot/run-proot.ts', import.meta.url), 'run-proot.cjs');
}
