/** `npm run bench:hot -- NAME [ARGUMENT]...`: bundles bench/hot/NAME.ts, as `npm run build` does the program, and runs it. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..', '..');
const name = String(process.argv[2]);
if (!/^[a-z0-9-]+$/.test(name) || !existsSync(join(import.meta.dirname, `${name}.ts`))) {
  console.error(`usage: npm run bench:hot -- NAME; in bench/hot there are ${readdirSync(import.meta.dirname).join(', ')}`);
  process.exit(2);
}
const outfile = join(root, 'node_modules', '.cache', 'tsbuild-bench', `hot-${name}.mjs`);
await build({
  absWorkingDir: root,
  entryPoints: [`bench/hot/${name}.ts`],
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  external: ['koffi'],
  logLevel: 'warning',
  outfile,
});
process.exitCode = spawnSync(process.execPath, [outfile, ...process.argv.slice(3)], { stdio: 'inherit', cwd: root }).status ?? 1;
