/**
 * Kaniko's flags that tsbuild does not have: of the archived project up to 1.24 and of its living fork. They are known, so
 * that the answer is "not supported yet" and not "unknown", and so that their values are not taken for something else.
 */

/** Kaniko's flags that take no value. */
const BOOLEANS = [
  'dryrun',
  'force-build-metadata',
  'push-ignore-immutable-tag-errors',
  'skip-default-registry-fallback',
  'skip-push-permission-check',
] as const;

const VALUES = [
  'annotation',
  'azure-container-registry-config',
  'bucket',
  'compression',
  'compression-level',
  'credential-helpers',
  'image-download-retry',
  'image-format',
  'image-fs-extract-retry',
  'kaniko-dir',
  'push-retry',
  'push-retry-backoff-multiplier',
  'push-retry-initial-delay',
  'push-retry-max-delay',
  'registry-certificate',
  'registry-client-cert',
  'registry-map',
] as const;

export interface UnsupportedFlag {
  /** What to do instead; leaving it out when absent. */
  readonly hint?: string;
  readonly name: string;
  readonly short?: string;
  readonly kind: 'boolean' | 'value';
}

const PARTICULARS: Readonly<Partial<Record<(typeof VALUES)[number], Pick<UnsupportedFlag, 'short' | 'hint'>>>> = {
  bucket: { short: 'b' },
  'kaniko-dir': {
    hint: 'tsbuild needs no folder for itself: --tmp-dir FOLDER is for working files, --cache-dir FOLDER for layers, DOCKER_CONFIG for credentials',
  },
};

export const UNSUPPORTED_KANIKO_FLAGS: readonly UnsupportedFlag[] = [
  ...BOOLEANS.map((name) => ({ name, kind: 'boolean' as const })),
  ...VALUES.map((name) => ({ name, kind: 'value' as const, ...(PARTICULARS[name] ?? {}) })),
];

/** Environment variables that change what Kaniko builds and that tsbuild does not act on. */
export const UNSUPPORTED_KANIKO_VARIABLES = ['KANIKO_REGISTRY_MAP', 'KANIKO_SKIP_DEFAULT_REGISTRY_FALLBACK'] as const;
