/**
 * What a fixture of fixtures/builds records of its build: plan.txt (what is to be done) and image.txt (config, history, and the
 * file tree as far as it differs from the base). Texts for people to review, so nothing that changes from run to run is in them.
 */
import { parseDockerfile } from '../../src/dockerfile/parse.ts';
import type { ImageConfig } from '../../src/image/image.ts';
import { parsePlatform } from '../../src/image/platform.ts';
import { missingBases } from '../../src/plan/outline.ts';
import { type BaseConfigs, baseKey, type PlanInputs } from '../../src/plan/plan.ts';
import { planBuild } from '../../src/plan/plan-build.ts';
import { printPlan } from '../../src/plan/print-plan.ts';
import { BASE_HISTORY, configFields, type FileNode, type ReadImage } from './oci-reader.ts';

export interface PlanToRecord {
  readonly dockerfile: Uint8Array;
  readonly inputs: Pick<PlanInputs, 'buildArgs' | 'target'>;
  /** Every base that the Dockerfile may name, by its short name. */
  readonly bases: ReadonlyMap<string, ReadImage>;
}

export function planText({ dockerfile, inputs, bases }: PlanToRecord): string {
  const parsed = parseDockerfile(dockerfile, 'Dockerfile');
  const platform = parsePlatform('linux/amd64');
  const all: PlanInputs = { labels: new Map(), platform, buildPlatform: platform, contexts: new Map(), ...inputs };
  const known = new Map<string, ImageConfig>();
  for (let more = missingBases(parsed, all, known); more.length > 0; more = missingBases(parsed, all, known)) {
    for (const request of more) known.set(baseKey(request), configOf(request.ref, bases));
  }
  return printPlan(planBuild(parsed, all, known satisfies BaseConfigs));
}

function configOf(ref: string, bases: ReadonlyMap<string, ReadImage>): ImageConfig {
  const base = [...bases].find(([name]) => ref.replace(/^docker\.io\/(library\/)?/, '').startsWith(name));
  if (base === undefined) throw new Error(`the fixture is FROM ${ref}, which is no test base`);
  return base[1].config as ImageConfig;
}

export interface ImageToRecord {
  readonly image: ReadImage;
  readonly bases: ReadonlyMap<string, ReadImage>;
  /** Regular expressions: paths whose content differs from run to run; only type, mode and owner are recorded. */
  readonly volatile: readonly string[];
  /** Regular expressions: paths that depend on the packages of the base, and are judged by expect.json alone. */
  readonly unrecorded: readonly string[];
}

export function imageText({ image, bases, volatile, unrecorded }: ImageToRecord): string {
  const base = [...bases.values()].find((one) => isBelow(one, image));
  const lines = ['config'];
  for (const [field, value] of configFields(image)) lines.push(`  ${field} ${JSON.stringify(value)}`);
  lines.push('history');
  for (const { created_by, empty_layer, comment } of image.config.history ?? []) {
    if (created_by === BASE_HISTORY) lines.push(`  (${BASE_HISTORY})`);
    else lines.push(`  ${empty_layer === true ? 'empty' : 'layer'} ${JSON.stringify(created_by)} ${comment ?? ''}`.trimEnd());
  }
  lines.push('tree');
  const matches = (patterns: readonly string[], path: string): boolean => patterns.some((pattern) => new RegExp(pattern).test(path));
  const below = base?.files ?? new Map<string, FileNode>();
  for (const path of [...new Set([...below.keys(), ...image.files.keys()])].sort()) {
    const node = image.files.get(path);
    if (matches(unrecorded, path)) continue;
    if (node === undefined) {
      if (image.files.has(parentOf(path)) || !below.has(parentOf(path))) lines.push(`  gone ${JSON.stringify(path)}`);
      continue;
    }
    const line = nodeText(path, node, 'content');
    const unchanged = [...bases.values()].some(({ files }) => {
      const before = files.get(path);
      return before !== undefined && nodeText(path, before, 'content') === line;
    });
    if (!unchanged) lines.push(`  ${matches(volatile, path) ? nodeText(path, node, 'shape') : line}`);
  }
  return `${lines.join('\n')}\n`;
}

function isBelow(base: ReadImage, image: ReadImage): boolean {
  const under = base.config.rootfs?.diff_ids ?? [];
  const all = image.config.rootfs?.diff_ids ?? [];
  return under.length > 0 && under.every((diffId, i) => all[i] === diffId);
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function nodeText(path: string, node: FileNode, detail: 'shape' | 'content'): string {
  const mode = node.type === 'symlink' ? '----' : node.mode.toString(8).padStart(4, '0');
  const parts = [node.type, mode, `${node.uid}:${node.gid}`, JSON.stringify(path)];
  if (node.target !== undefined) parts.push(`-> ${JSON.stringify(node.target)}`);
  if (node.device !== undefined) parts.push(node.device);
  if (Object.keys(node.xattrs).length > 0) parts.push(JSON.stringify(Object.entries(node.xattrs).sort()));
  if (node.links !== undefined) parts.push(`= ${JSON.stringify(node.links[0])} and ${node.links.length - 1} more`);
  if (detail === 'content' && node.type === 'file') {
    parts.push(
      node.text !== undefined && node.text.length <= 200 ? JSON.stringify(node.text) : `${node.size} bytes, sha256 ${node.sha256}`,
    );
  }
  return parts.join(' ');
}
