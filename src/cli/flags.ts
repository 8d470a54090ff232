/**
 * The flags of tsbuild as data: names, value kinds, help texts and groups. What a flag does to a build is in
 * parse-command-line.ts; Kaniko's flags that tsbuild does not have are in kaniko-flags.ts.
 */

export type FlagKind =
  /** `--flag`, `--flag=true`, `--flag=false`. */
  | 'boolean'
  /** Given twice, the last one counts. */
  | 'value'
  | 'list';

export interface Flag {
  /** Without dashes. */
  readonly name: string;
  readonly short?: string;
  readonly kind: FlagKind;
  /** What stands for the value in help. */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly help: string;
  readonly group: FlagGroup;
  /** Shown by help as the default. */
  readonly default?: string;
  /** Old spellings that Kaniko accepts too. */
  readonly aliases?: readonly string[];
}

export type FlagGroup = 'Source' | 'Build' | 'Caches' | 'Output' | 'Registries' | 'Logs' | 'Kaniko compatibility';

export const VERBOSITY_NAMES = ['panic', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

/** From the most to the least that a rung needs of its surroundings. */
export const ISOLATION_CHOICES = ['auto', 'namespaces', 'in-place', 'chroot', 'proot'] as const;

/** In the order of `--help` and of the README's table. */
export const FLAGS = [
  {
    name: 'context',
    short: 'c',
    kind: 'value',
    value: 'context',
    group: 'Source',
    default: '/workspace/ if it exists, else .',
    help: 'Files that COPY and ADD may take: a folder (or dir://FOLDER), a git repository (git://HOST/PATH#refs/heads/BRANCH#COMMIT, https://HOST/PATH.git#REF:FOLDER, git@HOST:PATH#REF), or a tar, compressed or not (tar://FILE, tar://stdin).',
  },
  {
    name: 'dockerfile',
    short: 'f',
    kind: 'value',
    value: 'file',
    group: 'Source',
    default: 'Dockerfile',
    help: 'Dockerfile to build, looked up in the context, then in the working folder. Of a context that is fetched: in there, unless an absolute path is a file of this machine.',
  },
  { name: 'context-sub-path', kind: 'value', value: 'folder', group: 'Source', help: 'Use only this folder inside the context.' },
  {
    name: 'git',
    kind: 'list',
    value: 'key=value',
    group: 'Source',
    help: 'How the git repository of --context is fetched: branch=NAME, recurse-submodules=BOOL, insecure-skip-tls=BOOL; single-branch and depth change nothing, since one commit is fetched. Repeatable.',
  },
  { name: 'target', kind: 'value', value: 'stage', group: 'Build', help: 'Stage to build. Default: the last one.' },
  {
    name: 'build-arg',
    kind: 'list',
    value: 'name[=value]',
    group: 'Build',
    help: 'Value for an ARG. A name alone takes the value of the environment variable. Repeatable.',
  },
  {
    name: 'build-context',
    kind: 'list',
    value: 'name=context',
    group: 'Build',
    help: 'What FROM, COPY --from and mounts take for this name: a folder, docker-image://REF or oci-layout://FOLDER:TAG. Repeatable.',
  },
  { name: 'label', kind: 'list', value: 'name=value', group: 'Build', help: 'Label for the image. Repeatable.' },
  {
    name: 'secret',
    kind: 'list',
    value: 'id=..,src=..',
    group: 'Build',
    help: 'Secret for RUN --mount=type=secret: id=NAME,src=FILE or id=NAME,env=VARIABLE. Repeatable.',
  },
  {
    name: 'platform',
    kind: 'list',
    value: 'os/arch',
    group: 'Build',
    aliases: ['custom-platform', 'customPlatform'],
    help: "Platform of the image, such as linux/arm64. Several, with commas or repeated, become one index. Default: this machine's. --custom-platform means the same.",
  },
  {
    name: 'reproducible',
    kind: 'boolean',
    group: 'Build',
    help: 'The same files give the same image whenever it is built: files, history and config are dated $SOURCE_DATE_EPOCH, else 1970.',
  },
  {
    name: 'tmp-dir',
    kind: 'value',
    value: 'folder',
    group: 'Build',
    help: 'Where a build keeps what it needs until its end only: fetched contexts, downloads, extracted archives and what RUN writes. Default: inside the cache folder; TMPDIR moves all but what RUN writes.',
  },
  {
    name: 'ignore-path',
    kind: 'list',
    value: 'path',
    group: 'Build',
    help: 'Absolute path in the image whose changes by RUN are left out of layers. Repeatable.',
  },
  {
    name: 'isolation',
    kind: 'value',
    value: 'how',
    choices: ISOLATION_CHOICES,
    default: 'auto',
    group: 'Build',
    help: 'What RUN steps run in. auto: the first of the others, in this order, that works here; see tsbuild doctor.',
  },
  {
    name: 'no-cache',
    kind: 'boolean',
    group: 'Caches',
    help: 'Run every step anew; later builds on this machine take what it made. --cache=false is the same. Caches of RUN --mount=type=cache stay.',
  },
  {
    name: 'cache-dir',
    kind: 'value',
    value: 'folder',
    group: 'Caches',
    help: 'Where pulled layers, steps of earlier builds and caches of RUN --mount=type=cache are kept. Default: ~/.cache/tsbuild ($XDG_CACHE_HOME/tsbuild).',
  },
  {
    name: 'cache-max-size',
    kind: 'value',
    value: 'size',
    group: 'Caches',
    default: '20g',
    help: 'What the cache folder may hold after a build: bytes, or with k, m, g or t. The least recently used goes first, caches of RUN --mount=type=cache last. 0 or none: no bound.',
  },
  {
    name: 'cache',
    kind: 'boolean',
    group: 'Caches',
    help: 'Keep steps in a registry too, and take them from there: for builds on other machines. What --cache-dir has is used without it.',
  },
  {
    name: 'cache-repo',
    kind: 'value',
    value: 'repository',
    group: 'Caches',
    help: "Where --cache keeps steps, one tag for each: a repository, or oci:FOLDER, an OCI layout. Default: the first destination's with /cache behind it.",
  },
  {
    name: 'cache-ttl',
    kind: 'value',
    value: 'duration',
    group: 'Caches',
    default: '336h',
    help: 'How old a step of --cache may be, such as 6h. 0: none is taken.',
  },
  {
    name: 'cache-run-layers',
    kind: 'boolean',
    group: 'Caches',
    help: 'Take and keep what RUN made. --cache-run-layers=false: every RUN runs.',
  },
  {
    name: 'cache-copy-layers',
    kind: 'boolean',
    group: 'Caches',
    help: 'Take and keep what COPY and ADD made, which is so by default. --cache-copy-layers=false: each is made anew.',
  },
  { name: 'no-push-cache', kind: 'boolean', group: 'Caches', help: 'Take steps from the --cache, but put none there.' },
  {
    name: 'cache-from',
    kind: 'list',
    value: 'type=..',
    group: 'Caches',
    help: 'Take steps from what another build exported: type=registry,ref=REF (also an image with an inline cache; a REF alone means that) or type=local,src=FOLDER[,tag=TAG]. Repeatable.',
  },
  {
    name: 'cache-to',
    kind: 'list',
    value: 'type=..',
    group: 'Caches',
    help: 'Export all steps when the image is there: type=registry,ref=REF, type=local,dest=FOLDER[,tag=TAG] or type=inline, into the image. mode=min (the default) has the layers of the image, mode=max those of all stages. Repeatable.',
  },
  {
    name: 'compressed-caching',
    kind: 'boolean',
    group: 'Caches',
    help: "Accepted: cached layers are the image's own, compressed once, and layers never need more memory than a few blocks.",
  },
  {
    name: 'destination',
    short: 'd',
    kind: 'list',
    value: 'reference',
    group: 'Output',
    help: 'Where to push the image, such as registry.example/team/app:1.2. Repeatable.',
  },
  { name: 'no-push', kind: 'boolean', group: 'Output', help: 'Build, but push nothing.' },
  {
    name: 'tar-path',
    kind: 'value',
    value: 'file',
    group: 'Output',
    aliases: ['tarPath'],
    help: 'Write an archive for "docker load" instead of pushing; --destination is the name in it.',
  },
  { name: 'oci-layout-path', kind: 'value', value: 'folder', group: 'Output', help: 'Write an OCI image layout too.' },
  { name: 'digest-file', kind: 'value', value: 'file', group: 'Output', help: "Write the image's digest to this file." },
  {
    name: 'image-name-with-digest-file',
    kind: 'value',
    value: 'file',
    group: 'Output',
    help: 'Write a line "name@digest" for each destination.',
  },
  {
    name: 'image-name-tag-with-digest-file',
    kind: 'value',
    value: 'file',
    group: 'Output',
    help: 'Write a line "name:tag@digest" for each destination.',
  },
  { name: 'registry-mirror', kind: 'list', value: 'host', group: 'Registries', help: 'Ask this mirror before docker.io. Repeatable.' },
  { name: 'insecure', kind: 'boolean', group: 'Registries', help: 'Push over plain HTTP.' },
  { name: 'insecure-pull', kind: 'boolean', group: 'Registries', help: 'Pull over plain HTTP.' },
  {
    name: 'insecure-registry',
    kind: 'list',
    value: 'host',
    group: 'Registries',
    help: 'Push to and pull from this registry over plain HTTP. Repeatable.',
  },
  { name: 'skip-tls-verify', kind: 'boolean', group: 'Registries', help: 'Push without verifying certificates.' },
  { name: 'skip-tls-verify-pull', kind: 'boolean', group: 'Registries', help: 'Pull without verifying certificates.' },
  {
    name: 'skip-tls-verify-registry',
    kind: 'list',
    value: 'host',
    group: 'Registries',
    help: "Do not verify this registry's certificate. Repeatable.",
  },
  {
    name: 'progress',
    kind: 'value',
    value: 'style',
    choices: ['auto', 'tty', 'plain', 'json', 'quiet'],
    default: 'auto',
    group: 'Logs',
    help: 'How the build is shown. auto: tty on a terminal, else plain.',
  },
  {
    name: 'verbosity',
    short: 'v',
    kind: 'value',
    value: 'level',
    choices: VERBOSITY_NAMES,
    default: 'info',
    group: 'Logs',
    help: 'How much is said.',
  },
  {
    name: 'log-format',
    kind: 'value',
    value: 'format',
    choices: ['text', 'color', 'json'],
    group: 'Logs',
    help: 'text: never colors; color: always colors; json: one JSON object per event.',
  },
  { name: 'log-timestamp', kind: 'boolean', group: 'Logs', help: 'Begin each log line with the time.' },
  {
    name: 'single-snapshot',
    kind: 'boolean',
    group: 'Kaniko compatibility',
    help: 'One layer for all that the steps of a stage changed, instead of one for each step.',
  },
  {
    name: 'snapshot-mode',
    kind: 'value',
    value: 'mode',
    choices: ['full', 'redo', 'time'],
    group: 'Kaniko compatibility',
    aliases: ['snapshotMode'],
    help: 'Accepted: how RUN steps run decides how changes are found, and each way finds at least what full finds, without reading files.',
  },
  {
    name: 'skip-unused-stages',
    kind: 'boolean',
    group: 'Kaniko compatibility',
    help: 'Accepted: a stage that the target does not need is never built.',
  },
  {
    name: 'use-new-run',
    kind: 'boolean',
    group: 'Kaniko compatibility',
    help: 'Accepted: it makes snapshots of Kaniko cheaper, and no way to run RUN steps has snapshots like these.',
  },
  {
    name: 'ignore-var-run',
    kind: 'boolean',
    group: 'Kaniko compatibility',
    aliases: ['whitelist-var-run'],
    help: 'Leave changes of /var/run by RUN out of layers. Default: only with isolation in-place where something is mounted in it.',
  },
  {
    name: 'materialize',
    kind: 'boolean',
    group: 'Kaniko compatibility',
    help: 'Leave the files of the image in / when it is built. Needs isolation in-place.',
  },
  {
    name: 'cleanup',
    kind: 'boolean',
    group: 'Kaniko compatibility',
    help: 'Empty / when RUN steps have run in it (isolation in-place). Other isolations leave nothing behind outside --cache-dir.',
  },
  {
    name: 'pre-cleanup',
    kind: 'boolean',
    group: 'Kaniko compatibility',
    help: 'Accepted: isolation in-place always empties / before a stage that has RUN steps, and other isolations do not use it.',
  },
  {
    name: 'preserve-context',
    kind: 'boolean',
    group: 'Kaniko compatibility',
    help: 'Leave / as it is: RUN steps get any isolation but in-place.',
  },
  {
    name: 'force',
    kind: 'boolean',
    group: 'Kaniko compatibility',
    help: 'Let isolation in-place work where nothing looks like a container: all that is in / is lost.',
  },
] as const satisfies readonly Flag[];

export type FlagName = (typeof FLAGS)[number]['name'];
