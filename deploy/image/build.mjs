/**
 * `npm run image -- FOLDER [FLAG...]`: builds deploy/Dockerfile with this checkout's tsbuild into FOLDER, an OCI image layout.
 * More flags go to tsbuild: `--target debug`, `--build-arg BASE=...`, `--destination ...`. The registry and the certificates are
 * those of npm and Node here; neither gets into the image.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const [folder, ...flags] = process.argv.slice(2);
if (folder === undefined || folder.startsWith('-')) {
  console.error('error: the folder for the image is missing\n  hint: npm run image -- FOLDER');
  process.exit(2);
}
const registry = execFileSync('npm', ['config', 'get', 'registry'], { cwd: root, encoding: 'utf8' }).trim().replace(/\/+$/, '');
const certificates = process.env['NODE_EXTRA_CA_CERTS'];
const { status } = spawnSync(
  process.execPath,
  [
    resolve(root, 'bin/tsbuild.js'),
    '--reproducible',
    `--context=${root}`,
    `--dockerfile=${resolve(root, 'deploy/Dockerfile')}`,
    `--oci-layout-path=${resolve(process.env['INIT_CWD'] ?? '.', folder)}`,
    `--build-arg=NPM_REGISTRY=${registry}`,
    ...(certificates === undefined || certificates === '' ? [] : [`--secret=id=npm-ca,src=${certificates}`]),
    ...(flags.some((flag) => /^(?:--destination\b|-d$)/.test(flag)) ? [] : ['--no-push']),
    ...flags,
  ],
  { stdio: 'inherit', cwd: process.env['INIT_CWD'] ?? '.' },
);
process.exit(status ?? 1);
