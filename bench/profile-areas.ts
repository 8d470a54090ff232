/** Self time of a V8 profile by area: folders of src/ for tsbuild's own code, and what Node does for it. */

/** Chrome DevTools protocol, Profiler.Profile. Microseconds. */
export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  /** From 0. */
  readonly lineNumber: number;
}

type Area = string;

/** Seconds by area, without the time in which nothing ran. */
export function selfTimes({ nodes, samples, timeDeltas }: CpuProfile, areaOf: (frame: CallFrame) => Area | null): Map<Area, number> {
  const areas = new Map(nodes.map((node) => [node.id, areaOf(node.callFrame)]));
  const times = new Map<Area, number>();
  for (const [at, id] of samples.entries()) {
    const area = areas.get(id) ?? null;
    if (area !== null) times.set(area, (times.get(area) ?? 0) + (timeDeltas[at] ?? 0) / 1e6);
  }
  return times;
}

/** Node's own modules by name, first match. */
const NODE_AREAS: readonly (readonly [RegExp, Area])[] = [
  [/^node:(internal\/)?crypto/, 'hash'],
  [/^node:(internal\/)?zlib/, 'gzip'],
  [/^node:(internal\/)?fs/, 'file system calls'],
  [/^node:(_?http|internal\/http|net|_?tls|internal\/stream_base|internal\/deps\/undici|dns)/, 'http'],
  [/^node:internal\/(modules|bootstrap|main|process\/pre_execution)|^node:vm/, 'start-up'],
  [/^node:/, 'Node, other'],
];

/** `bundle`: esbuild's, in which a comment names the file of the lines after it. */
export function areaReader(bundle: string): (frame: CallFrame) => Area | null {
  const files: string[] = [];
  let file = 'bundle';
  for (const line of bundle.split('\n')) {
    file = /^ *\/\/ ((?:src|node_modules)\/\S+)$/.exec(line)?.[1] ?? file;
    files.push(file);
  }
  return ({ functionName, url, lineNumber }) => {
    if (functionName === '(idle)' || functionName === '(root)') return null;
    if (functionName === '(garbage collector)') return 'garbage collection';
    // Native code without JavaScript: system calls of Node's own, and what libuv does.
    if (functionName === '(program)') return 'native code';
    const ofNode = NODE_AREAS.find(([pattern]) => pattern.test(url));
    if (ofNode !== undefined) return ofNode[1];
    if (url.endsWith('/bin/tsbuild.js')) return 'start-up';
    if (!url.endsWith('/main.cjs')) return url === '' ? 'native code' : 'other';
    const parts = (files[lineNumber] ?? 'bundle').split('/');
    return parts[0] === 'src' ? parts.slice(0, parts[1] === 'layer' && parts.length > 3 ? 3 : 2).join('/') : parts.slice(0, 2).join('/');
  };
}
