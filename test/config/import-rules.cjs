/**
 * Import rules for dependency-cruiser: a folder imports only from folders of a lower rank. Seams between folders of rank 4
 * are their interface files, and only src/cli/wire.ts (and those beside it that WIRING names, the demo and tests) may name what
 * stands behind them.
 */
const RANKS = [
  ['bytes', 'stream', 'async', 'words'],
  ['image', 'sys'],
  ['blob'],
  ['dockerfile', 'layer', 'patterns', 'registry'],
  ['plan', 'context', 'copy', 'backend', 'output', 'base-image', 'unpacked', 'cache-mounts', 'cache'],
  ['build'],
  ['cli', 'report', 'demo'],
];

/** The interface file of each folder of rank 4. plan/ and copy/ are pure functions over data, so build/ may use all of them. */
const SEAMS = [
  'src/backend/backend.ts',
  'src/base-image/image-source.ts',
  'src/cache-mounts/cache-mounts.ts',
  'src/cache/step-cache.ts',
  'src/context/context.ts',
  'src/context/file-digests.ts',
  'src/output/image-sink.ts',
  'src/unpacked/layer-library.ts',
];
const PURE = ['plan', 'copy'];
const WIRING =
  '^src/(cli/(wire|wire-warm|open-layers|open-source|step-caches|cache-upkeep|doctor-examine|rungs|user-namespace)\\.ts$|demo/)';

const anyOf = (names) => `(${names.join('|')})`;
const exact = (files) => `^${anyOf(files.map((f) => f.replaceAll('.', '\\.')))}$`;

const forbidden = [
  {
    name: 'no-cycles',
    severity: 'error',
    comment: 'Data flows one way.',
    from: {},
    to: { circular: true },
  },
  {
    name: 'no-unresolved',
    severity: 'error',
    comment: 'Every import exists.',
    from: {},
    to: { couldNotResolve: true },
  },
  {
    name: 'no-undeclared-packages',
    severity: 'error',
    comment: 'src/ imports only what package.json lists under dependencies.',
    from: { path: '^src/' },
    to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
  },
  {
    name: 'src-without-tests',
    severity: 'error',
    comment: 'Shipped code never imports tests, benches or fixtures.',
    from: { path: '^src/' },
    to: { path: '^(test|bench|fixtures)/' },
  },
  {
    name: 'known-folders',
    severity: 'error',
    comment: 'A new folder in src/ gets a rank here first.',
    from: {},
    to: { path: '^src/', pathNot: `^src/(errors\\.ts$|${anyOf(RANKS.flat())}/)` },
  },
  {
    name: 'errors-import-nothing',
    severity: 'error',
    comment: 'errors.ts is rank 0.',
    from: { path: '^src/errors\\.ts$' },
    to: { path: '^src/' },
  },
  {
    name: 'seams-only',
    severity: 'error',
    comment: 'Folders of rank 4 are known by their interface files; only wire.ts, the demo and tests name implementations.',
    from: { path: '^src/(build|cli|report)/', pathNot: WIRING },
    to: { path: `^src/${anyOf(RANKS[4].filter((f) => !PURE.includes(f)))}/`, pathNot: exact(SEAMS) },
  },
];

RANKS.forEach((folders, rank) => {
  const higher = RANKS.slice(rank + 1).flat();
  for (const folder of folders) {
    const siblings = folders.filter((f) => f !== folder);
    if (higher.length > 0) {
      forbidden.push({
        name: `rank-${rank}-${folder}-imports-lower`,
        severity: 'error',
        comment: `src/${folder}/ has rank ${rank}.`,
        from: { path: `^src/${folder}/` },
        to: { path: `^src/${anyOf(higher)}/` },
      });
    }
    // The last rank is where programs are composed: cli/ and demo/ use report/.
    if (rank < RANKS.length - 1) {
      forbidden.push({
        name: `rank-${rank}-${folder}-avoids-siblings`,
        severity: 'error',
        comment: `Folders of rank ${rank} never import each other, except for the types of a seam.`,
        from: { path: `^src/${folder}/` },
        to: {
          path: `^src/${anyOf(siblings.length > 0 ? siblings : ['-'])}/`,
          ...(rank === 4 ? { pathNot: exact(SEAMS) } : {}),
        },
      });
    }
  }
});

/** A seam that a sibling imports is imported as types: nothing of a sibling runs. */
forbidden.push({
  name: 'seams-between-siblings-are-types',
  severity: 'error',
  comment: 'A folder of rank 4 may import the types of another one, never its code.',
  from: { path: `^src/${anyOf(RANKS[4])}/` },
  to: { path: exact(SEAMS), pathNot: '^src/$1/', dependencyTypesNot: ['type-only'] },
});

module.exports = {
  forbidden,
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.json'],
    },
  },
};
