/**
 * Platforms: parsing, normal form, and which of an index's images fits best. OS versions and features (Windows) are
 * not known here. Reference: github.com/containerd/platforms (Parse, Normalize, platformVector).
 */
import { TsbuildError } from '../errors.ts';

/** In normal form everywhere in tsbuild: lower case, Go's names, no `v8` for arm64, always a variant for arm. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

const SYSTEMS = new Set([
  'aix',
  'android',
  'darwin',
  'dragonfly',
  'freebsd',
  'illumos',
  'ios',
  'js',
  'linux',
  'netbsd',
  'openbsd',
  'plan9',
  'solaris',
  'windows',
]);

const ARCHITECTURES = new Set([
  '386',
  'amd64',
  'arm',
  'arm64',
  'loong64',
  'mips',
  'mipsle',
  'mips64',
  'mips64le',
  'ppc64',
  'ppc64le',
  'riscv64',
  's390x',
  'wasm',
]);

const PART = /^[A-Za-z0-9_.-]+$/;

/**
 * `os/architecture[/variant]`, or an architecture alone (of Linux). An operating system alone means the architecture
 * of `host`, and is an error without one. Throws PLATFORM_INVALID.
 */
export function parsePlatform(text: string, host?: Platform): Platform {
  const invalid = (why: string): TsbuildError =>
    new TsbuildError('PLATFORM_INVALID', `"${text}" is not a platform: ${why}`, { hint: 'write os/architecture, for example linux/arm64' });
  const parts = text.split('/');
  const [first = '', second, third] = parts;
  if (text === '') throw invalid('it is empty');
  if (parts.length > 3) throw invalid('it has more than three parts');
  if (!parts.every((part) => PART.test(part))) throw invalid('its parts may only hold letters, digits, ".", "_" and "-"');
  if (second !== undefined) {
    return normalizePlatform({ os: first, architecture: second, ...(third === undefined ? {} : { variant: third }) });
  }
  const os = normalOs(first);
  if (SYSTEMS.has(os)) {
    if (host === undefined) throw invalid('the architecture is missing');
    return normalizePlatform({ ...host, os });
  }
  const alone = normalizePlatform({ os: 'linux', architecture: first });
  if (!ARCHITECTURES.has(alone.architecture)) throw invalid('unknown operating system or architecture');
  return alone;
}

/** `os/architecture[/variant]` */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** The one spelling of a platform: `x86_64` is `amd64`, `arm64/v8` is `arm64`, `arm` is `arm/v7`. */
export function normalizePlatform(platform: Platform): Platform {
  const os = normalOs(platform.os);
  const [architecture, variant] = normalArchitecture(platform.architecture.toLowerCase(), (platform.variant ?? '').toLowerCase());
  return variant === '' ? { os, architecture } : { os, architecture, variant };
}

/** The platform of a machine, from Node's `process.arch` there. Throws PLATFORM_INVALID for one that has no images. */
export function hostPlatform(arch: string): Platform {
  const architecture = NODE_ARCHITECTURES.get(arch);
  if (architecture === undefined) throw new TsbuildError('PLATFORM_INVALID', `"${arch}" is not an architecture that container images know`);
  return normalizePlatform({ os: 'linux', architecture });
}

const NODE_ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ['x64', 'amd64'],
  ['ia32', '386'],
  ['arm64', 'arm64'],
  ['arm', 'arm'],
  ['loong64', 'loong64'],
  ['mips', 'mips'],
  ['mipsel', 'mipsle'],
  ['ppc64', 'ppc64le'],
  ['riscv64', 'riscv64'],
  ['s390x', 's390x'],
]);

/**
 * The position of the candidate that runs best on `want`, of equals the first; null when none runs. Candidates without
 * a platform never fit, and so do the `unknown/unknown` ones that are attestations.
 */
export function pickPlatform(candidates: readonly { readonly platform?: Platform }[], want: Platform): number | null {
  const offered = candidates.map(({ platform }) => (platform === undefined ? null : formatPlatform(normalizePlatform(platform))));
  for (const accepted of acceptable(normalizePlatform(want))) {
    const position = offered.indexOf(formatPlatform(accepted));
    if (position >= 0) return position;
  }
  return null;
}

/** What runs on a platform, best first: amd64 steps down its levels and then to 386, arm64 to 32-bit arm, arm to older arm. */
function acceptable(want: Platform): readonly Platform[] {
  const { os, architecture, variant } = want;
  const level = Number(/^v(\d+)$/.exec(variant ?? '')?.[1] ?? Number.NaN);
  if (architecture === 'amd64') {
    const lower = Number.isNaN(level) ? [] : below(level, 2).map((n) => ({ os, architecture, variant: `v${n}` }));
    return [want, ...lower, ...(variant === undefined ? [] : [{ os, architecture }]), { os, architecture: '386' }];
  }
  if (architecture === 'arm64') {
    const arm = [8, 7, 6, 5].map((n) => ({ os, architecture: 'arm', variant: `v${n}` }));
    return [want, ...(variant === undefined ? [] : [{ os, architecture }]), ...arm];
  }
  if (architecture === 'arm' && !Number.isNaN(level)) {
    return [want, ...below(level, 5).map((n) => ({ os, architecture, variant: `v${n}` }))];
  }
  return [want];
}

/** `above - 1` down to `lowest`. */
function below(above: number, lowest: number): readonly number[] {
  const numbers: number[] = [];
  for (let n = above - 1; n >= lowest; n -= 1) numbers.push(n);
  return numbers;
}

function normalOs(os: string): string {
  const lower = os.toLowerCase();
  return lower === 'macos' ? 'darwin' : lower;
}

function normalArchitecture(architecture: string, variant: string): readonly [string, string] {
  switch (architecture) {
    case 'i386':
      return ['386', ''];
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      return ['amd64', variant === 'v1' ? '' : variant];
    case 'aarch64':
    case 'arm64':
      return ['arm64', variant === '8' || variant === 'v8' ? '' : /^\d/.test(variant) ? `v${variant}` : variant];
    case 'armhf':
      return ['arm', 'v7'];
    case 'armel':
      return ['arm', 'v6'];
    case 'arm':
      return ['arm', variant === '' ? 'v7' : /^\d/.test(variant) ? `v${variant}` : variant];
    default:
      return [architecture, variant];
  }
}
