/** The YAML files of deploy/ as Kubernetes reads them, with the few fields that tests look at. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastGlob from 'fast-glob';
import { parseAllDocuments } from 'yaml';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const KUBERNETES_FOLDER = `${ROOT}deploy/kubernetes`;

export interface SecurityContext {
  readonly runAsUser?: number;
  readonly runAsNonRoot?: boolean;
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly procMount?: string;
  readonly seccompProfile?: { readonly type: string };
  readonly appArmorProfile?: { readonly type: string };
  readonly seLinuxOptions?: { readonly type?: string; readonly user?: string; readonly role?: string };
  readonly windowsOptions?: { readonly hostProcess?: boolean };
  readonly sysctls?: readonly { readonly name: string }[];
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

type Amounts = Readonly<Record<string, string | number>>;

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly securityContext?: SecurityContext;
  readonly resources?: { readonly requests?: Amounts; readonly limits?: Amounts };
  readonly volumeMounts?: readonly VolumeMount[];
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number; readonly hostPort?: number }[];
}

/** A name, and one more key that says what the volume is. */
export type Volume = { readonly name: string } & {
  readonly secret?: {
    readonly secretName: string;
    readonly defaultMode?: number;
    readonly items?: readonly { readonly key: string; readonly path: string }[];
  };
  readonly configMap?: { readonly name: string };
  readonly emptyDir?: { readonly sizeLimit?: string };
  readonly persistentVolumeClaim?: { readonly claimName: string };
};

export interface PodSpec {
  readonly restartPolicy?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly securityContext?: SecurityContext;
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Volume[];
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata?: { readonly name?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
  readonly resources?: readonly string[];
  readonly images?: readonly { readonly name: string; readonly newName: string; readonly newTag: string }[];
  /** Whatever the kind has there. */
  readonly spec?: Record<string, unknown> & {
    readonly template?: { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> }; readonly spec: PodSpec };
  };
}

/** All documents of a text. Kubernetes reads YAML 1.1, where 0400 is octal. Throws what is no YAML. */
export function parseManifests(text: string): readonly Manifest[] {
  return parseAllDocuments(text, { version: '1.1', uniqueKeys: true }).map((document) => {
    const [fault] = [...document.errors, ...document.warnings];
    if (fault !== undefined) throw fault;
    return document.toJS() as Manifest;
  });
}

/** `file`: relative to the checkout. */
export function readManifests(file: string): readonly Manifest[] {
  return parseManifests(readFileSync(ROOT + file, 'utf8'));
}

/** All YAML files below `folder` of the checkout, relative to the checkout. */
export function yamlFiles(folder: string): readonly string[] {
  return fastGlob.sync(`${folder}/**/*.{yaml,yml}`, { cwd: ROOT }).sort();
}

/** The first of that kind. Throws when there is none. */
export function manifestOf(kind: string, manifests: readonly Manifest[]): Manifest {
  const found = manifests.find((manifest) => manifest.kind === kind);
  if (found === undefined) throw new Error(`there is no ${kind}`);
  return found;
}

/** The pod that a Job or a Deployment makes. Throws when it is neither. */
export function podOf(manifest: Manifest): PodSpec {
  const spec = manifest.spec?.template?.spec;
  if (spec === undefined) throw new Error(`${manifest.kind} ${manifest.metadata?.name} makes no pods`);
  return spec;
}
