/**
 * Builders as command lines for `sh -c`, one for each start of a build. In them are filled in:
 *   {context} {dockerfile}  what to build
 *   {destination}           where the image is to be pushed, another one for each build
 *   {registry}              host:port; plain HTTP; also has the base images of Docker Hub
 *   {cache}                 repository for cached layers, the builder's own
 *   {state}                 the builder's folder: empty when `cold`, kept from the priming build when `warm`
 */
import type { Start } from './scenarios.ts';

export interface Builder {
  readonly name: string;
  /** A builder without a command for a start is not measured there. */
  readonly commands: Readonly<Partial<Record<Start, string>>>;
}

export interface CommandValues {
  readonly context: string;
  readonly dockerfile: string;
  readonly destination: string;
  readonly registry: string;
  readonly cache: string;
  readonly state: string;
}

export function filledIn(command: string, values: CommandValues): string {
  return command.replace(/\{(\w+)\}/g, (whole, key: string) => ({ ...values })[key] ?? whole);
}

const STARTS: readonly Start[] = ['cold', 'warm', 'registry-cache'];

/** `nodeOptions`: for Node itself, before the program. */
export function tsbuild(nodeOptions: readonly string[] = []): Builder {
  const node = [process.execPath, ...nodeOptions].map((word) => `'${word}'`).join(' ');
  const build =
    `${node} bin/tsbuild.js --context {context} --dockerfile {dockerfile} --destination {destination}` +
    ' --insecure-registry {registry} --registry-mirror {registry} --cache-dir {state}/cache --progress plain';
  return { name: 'tsbuild', commands: { cold: build, warm: build, 'registry-cache': `${build} --cache --cache-repo {cache}` } };
}

/** Its layers cost it time, so it makes them only where they are of use. Stages one after another, as by default. */
export const BUILDAH: Builder = {
  name: 'buildah',
  commands: {
    cold: buildah('--layers=false'),
    warm: buildah('--layers'),
    'registry-cache': buildah('--layers --cache-from {cache} --cache-to {cache}'),
  },
};

function buildah(flags: string): string {
  return [
    `printf '[[registry]]\\nprefix = "docker.io"\\nlocation = "{registry}"\\ninsecure = true\\n' > {state}/registries.conf`,
    'export STORAGE_DRIVER=overlay TMPDIR={state} CONTAINERS_REGISTRIES_CONF={state}/registries.conf',
    "B='buildah --root {state}/root --runroot {state}/run'",
    `$B bud -q --isolation=chroot --tls-verify=false ${flags} -f {dockerfile} -t {destination} {context}`,
    '$B push -q --tls-verify=false {destination}',
  ].join(' && ');
}

/** `NAME=COMMAND` is for cold builds, `NAME:warm=COMMAND` and `NAME:registry-cache=COMMAND` for the others. */
export function buildersOf(texts: readonly string[]): readonly Builder[] {
  const commands = new Map<string, Partial<Record<Start, string>>>();
  for (const text of texts) {
    const [, name, start = 'cold', command] = /^([^:=]+)(?::([^=]+))?=(.+)$/s.exec(text) ?? [];
    const known = STARTS.find((one) => one === start);
    if (name === undefined || command === undefined || known === undefined)
      throw new Error(`--builder ${text}: expected NAME=COMMAND or NAME:START=COMMAND, where START is one of ${STARTS.join(', ')}`);
    commands.set(name, { ...commands.get(name), [known]: command });
  }
  return [...commands].map(([name, own]) => ({ name, commands: own }));
}
