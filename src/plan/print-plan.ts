/**
 * A plan as text for people: `--dry-run`, and the goldens of fixtures/plans. Stable: the same plan prints the same, and
 * every field that changes the image is in it. Lists and texts that could span lines are JSON.
 */
import { visible } from '../dockerfile/visible.ts';
import { formatPlatform } from '../image/platform.ts';
import type { GitSource } from './git-url.ts';
import {
  type Base,
  type BuildPlan,
  type CopySource,
  type CopyStep,
  DEFAULT_HOSTNAME,
  type Mount,
  type Origin,
  type RunStep,
  type Stage,
  type Step,
} from './plan.ts';
import { withoutCredentials } from './sources.ts';

type Line = readonly [label: string, value: string];

export function printPlan(plan: BuildPlan): string {
  const blocks = [
    [`platform ${formatPlatform(plan.platform)}`, `target   ${plan.target}`],
    ...plan.stages.map(stageLines),
    ...(plan.warnings.length === 0 ? [] : [plan.warnings.map(warningLine)]),
  ];
  return `${blocks.map((lines) => lines.map(visible).join('\n')).join('\n\n')}\n`;
}

function stageLines(stage: Stage): readonly string[] {
  return [
    `stage ${stage.index}${stage.name === null ? '' : ` ${stage.name}`}, line ${stage.at.startLine}`,
    `  from     ${baseText(stage.base)}`,
    `  platform ${formatPlatform(stage.platform)}`,
    ...(stage.needs.length === 0 ? [] : [`  needs    ${stage.needs.join(' ')}`]),
    ...stage.steps.flatMap((step) => [
      `  ${step.onBuild ? 'onbuild ' : ''}${step.kind}, line ${step.at.startLine}`,
      ...columns(stepLines(step)),
    ]),
    ...(stage.author === null ? [] : [`  author   ${stage.author}`]),
    '  config',
    ...Object.entries(stage.config).flatMap(([field, value]) => configLines(field, value)),
  ];
}

/** A list or a map of several things gets a line for each. */
function configLines(field: string, value: unknown): readonly string[] {
  if (Array.isArray(value) && field === 'Env') return ['    Env', ...value.map((entry) => `      ${JSON.stringify(entry)}`)];
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isMap) return [`    ${field} ${JSON.stringify(value)}`];
  return [`    ${field}`, ...Object.entries(value).map(([key, inner]) => `      ${JSON.stringify(key)}: ${JSON.stringify(inner)}`)];
}

function columns(lines: readonly Line[]): readonly string[] {
  return lines.map(([label, value]) => `    ${label.padEnd(8)} ${value}`);
}

function stepLines(step: Step): readonly Line[] {
  const common: readonly Line[] = [
    ['title', step.title],
    ['history', JSON.stringify(step.createdBy)],
  ];
  switch (step.kind) {
    case 'run':
      return [...common, ...runLines(step)];
    case 'copy':
      return [...common, ...copyLines(step)];
    case 'workdir':
      return [...common, ['path', step.path], ['user', userText(step.user)]];
    case 'config':
      return common;
  }
}

function runLines(step: RunStep): readonly Line[] {
  return [
    ['argv', JSON.stringify(step.argv)],
    ...step.env.map((pair): Line => ['env', JSON.stringify(pair)]),
    ...step.proxyEnv.map((pair): Line => ['proxy', JSON.stringify(pair)]),
    ['cwd', step.cwd],
    ['user', userText(step.user)],
    ['network', step.network],
    ...(step.hostname === DEFAULT_HOSTNAME ? [] : [['hostname', step.hostname] as const]),
    ...step.mounts.map((mount): Line => ['mount', mountText(mount)]),
    ...step.scripts.map(({ name, body }): Line => ['script', `${JSON.stringify(name)} ${JSON.stringify(body)}`]),
  ];
}

function copyLines(step: CopyStep): readonly Line[] {
  const flags = [
    step.link ? 'link' : '',
    step.parents ? 'parents' : '',
    step.unpack === null ? '' : `unpack=${step.unpack}`,
    step.checksum === null ? '' : `checksum=${step.checksum}`,
  ].filter((flag) => flag !== '');
  return [
    ['as', step.instruction],
    ['from', originText(step.origin)],
    ...step.sources.map((source): Line => ['source', sourceText(source)]),
    ['dest', JSON.stringify(step.dest)],
    ...(step.chown === null ? [] : [['chown', step.chown] as const]),
    ...(step.chmod === null ? [] : [['chmod', step.chmod.kind === 'octal' ? octal(step.chmod.mode) : step.chmod.text] as const]),
    ...step.exclude.map((pattern): Line => ['exclude', JSON.stringify(pattern)]),
    ...(flags.length === 0 ? [] : [['flags', flags.join(' ')] as const]),
  ];
}

function mountText(mount: Mount): string {
  switch (mount.type) {
    case 'bind':
      return `bind ${mount.target} from ${originText(mount.origin)} ${mount.source} ${mount.writable ? 'writable' : 'readonly'}`;
    case 'cache': {
      const seed = mount.seed === null ? '' : ` seed ${originText(mount.seed.origin)} ${mount.seed.source}`;
      const access = mount.readonly ? ' readonly' : '';
      return `cache ${mount.target} id=${JSON.stringify(mount.id)} ${mount.sharing}${access} ${ownership(mount)}${seed}`;
    }
    case 'tmpfs':
      return `tmpfs ${mount.target}${mount.sizeBytes === null ? '' : ` size=${mount.sizeBytes}`}`;
    case 'secret': {
      const where = [mount.target === null ? '' : ` ${mount.target}`, mount.env === null ? '' : ` env=${mount.env}`].join('');
      return `secret id=${JSON.stringify(mount.id)}${where} ${mount.required ? 'required' : 'optional'} ${ownership(mount)}`;
    }
  }
}

function ownership({ mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number }): string {
  return `${octal(mode)} ${uid}:${gid}`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function sourceText(source: CopySource): string {
  switch (source.kind) {
    case 'path':
      return `path ${JSON.stringify(source.pattern)}`;
    case 'url':
      return `url ${withoutCredentials(source.url)}`;
    case 'git':
      return `git ${source.url} ${gitText(source.repository)}`;
    case 'inline':
      return `inline ${JSON.stringify(source.name)} ${JSON.stringify(source.body)}`;
  }
}

function gitText({ at, checksum, subdir, gitDir, submodules }: GitSource): string {
  const place = at.kind === 'ref' ? `ref ${JSON.stringify(at.name)}` : at.kind === 'commit' ? `commit ${at.hash}` : at.kind;
  return [
    place,
    ...(checksum === null ? [] : [`checksum ${checksum}`]),
    ...(subdir === '' ? [] : [`subdir ${JSON.stringify(subdir)}`]),
    ...(gitDir === 'keep' ? ['keep-git-dir'] : []),
    ...(submodules === 'skip' ? ['without submodules'] : []),
  ].join(' ');
}

function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'context':
      return 'context';
    case 'folder':
      return `context ${origin.name}`;
    case 'stage':
      return `stage ${origin.index}`;
    case 'image':
      return `image ${origin.ref} ${formatPlatform(origin.platform)}`;
  }
}

function baseText(base: Base): string {
  switch (base.kind) {
    case 'image':
      return `image ${base.ref}`;
    case 'folder':
      return `context ${base.name}`;
    case 'stage':
      return `stage ${base.index}`;
    case 'scratch':
      return 'scratch';
  }
}

function userText(user: string): string {
  return user === '' ? 'root' : user;
}

function warningLine({ message, at, hint }: BuildPlan['warnings'][number]): string {
  const where = at === undefined ? '' : `, line ${at.startLine}`;
  return `warning${where}: ${message}${hint === undefined ? '' : ` (${hint})`}`;
}
