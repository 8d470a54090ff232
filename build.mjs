/**
 * Bundles the program into dist/, each of its processes into one CommonJS file: Node starts that twice as fast as a set of ES
 * modules. Then runs the demo, so that the compiled code of a whole build is kept beside the bundle (see bin/tsbuild.js).
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = import.meta.dirname;
const dist = join(root, 'dist');
const programs = ['cli/main', 'demo/demo', 'backend/command/run', 'backend/namespaces/init', 'backend/proot/run-proot'];

rmSync(dist, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: programs.map((name) => `src/${name}.ts`),
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  outbase: 'src',
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  external: ['koffi'],
  // CommonJS has no import.meta, and what vm.Script runs has no import().
  define: { 'import.meta.filename': '__filename', 'import.meta.dirname': '__dirname' },
  supported: { 'dynamic-import': false },
  logLevel: 'warning',
});
for (const name of programs) {
  // esbuild escapes what is not ASCII in strings, but not in regular expressions and comments. An ASCII file is read in less time.
  const file = join(dist, `${name}.cjs`);
  const escaped = readFileSync(file, 'utf8').replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  writeFileSync(file, escaped);
}
// Where it cannot run, the first build keeps its compiled code.
spawnSync(process.execPath, [join(dist, 'demo', 'demo.cjs')], { stdio: 'ignore', timeout: 60_000 });
