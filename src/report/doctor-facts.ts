/** What `tsbuild doctor` finds out. `--json` prints this very shape: field names are stable, new ones may come. Holds no secret. */

export interface Obstacle {
  /** What is missing. */
  readonly why: string;
  /** What would enable it. */
  readonly hint: string;
}

export type RungFacts = { readonly name: string; readonly works: true } | ({ readonly name: string; readonly works: false } & Obstacle);

export interface StorageFacts {
  /** `cache`: --cache-dir. `work`: rootfs and layers in the making. `temporary`: TMPDIR. */
  readonly use: 'cache' | 'work' | 'temporary';
  /** Absolute. */
  readonly folder: string;
  /** `container`: the container's own layer, which is gone with it. `volume`: something mounted there. `host`: no container. */
  readonly place: 'container' | 'volume' | 'host';
  /** As in /proc/mounts: `ext4`, `overlay`, `tmpfs`. Null: /proc does not say. */
  readonly fileSystem: string | null;
  readonly freeBytes: number;
  /** Null: this file system does not count them. */
  readonly freeInodes: number | null;
  /** Whether an overlay can have its upper folder there. */
  readonly overlay: { readonly works: true } | ({ readonly works: false } & Obstacle);
}

export interface CredentialFacts {
  readonly file: string;
  /** `used`: the first that is there. `shadowed`: there, but another comes first. */
  readonly state: 'used' | 'shadowed' | 'missing' | 'invalid';
  /** Why it is invalid. */
  readonly why: string | null;
  /** Hosts, with or without a path, that have an entry or a helper. */
  readonly hosts: readonly string[];
  /** Names of credential helpers, that of `credsStore` included. */
  readonly helpers: readonly string[];
}

export interface SystemFacts {
  readonly tsbuild: string;
  readonly node: string;
  readonly kernel: string;
  /** As Node names it: `x64`, `arm64`. */
  readonly architecture: string;
  /** `kubernetes`, `docker`, `podman`, ..., `unknown`; null: no container is noticed. */
  readonly container: string | null;
  readonly uid: number;
  /** Set where this process is root of a user namespace: the ids of it, and who it is outside. */
  readonly userNamespace: { readonly ids: number; readonly outsideUid: number } | null;
  /** Effective ones, without `CAP_`, lower case. */
  readonly capabilities: readonly string[];
  /** The other ones that this version knows. */
  readonly withoutCapabilities: readonly string[];
  readonly seccomp: 'none' | 'filter';
  readonly noNewPrivileges: boolean;
  /** The AppArmor profile with its mode; null: none. */
  readonly appArmor: string | null;
  readonly cpus: number;
  /** CPU time that the cgroup allows, in CPUs; null: no limit. */
  readonly cpuLimit: number | null;
  readonly memoryBytes: number;
  /** The cgroup's; null: no limit. */
  readonly memoryLimitBytes: number | null;
  /** Absolute; null: not installed. */
  readonly git: string | null;
}

export interface DoctorFacts {
  /** The rung that a build takes; null: none works, and only builds without RUN do. */
  readonly isolation: string | null;
  /** From the top of the ladder. */
  readonly rungs: readonly RungFacts[];
  /** Null: the cache folder can be used. */
  readonly cacheFault: Obstacle | null;
  readonly storage: readonly StorageFacts[];
  readonly credentials: readonly CredentialFacts[];
  readonly system: SystemFacts;
}
