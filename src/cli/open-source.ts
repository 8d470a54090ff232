/**
 * The build context and the Dockerfile of a command line: a folder of this machine as it is, a git repository or an archive
 * after it has been fetched into the build's own folder. Beside wire.ts, because it names implementations.
 */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Report } from '../build/events.ts';
import type { BuildRequest, Ports } from '../build/ports.ts';
import { unpackArchive } from '../context/archive-source.ts';
import { type FetchedFiles, fetchedContext } from '../context/fetched-context.ts';
import { fetchGitCheckout } from '../context/git-source.ts';
import { localContext } from '../context/local-context.ts';
import type { SourceText } from '../dockerfile/instruction.ts';
import { readSource } from '../dockerfile/lines.ts';
import { TsbuildError } from '../errors.ts';
import type { ArchiveSource, RepositorySource, SourceOptions } from './options.ts';
import { readDockerfile } from './resolve-source.ts';

export interface SourcePlace {
  /** The build's own: what is fetched stays there. Absolute. */
  readonly workFolder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: () => Readable & { readonly isTTY?: boolean };
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Keeps the lines of a Dockerfile that is no file of this machine, for errors that quote it. */
  quote(source: SourceText): void;
}

export interface OpenedSource {
  readonly context: Ports['context'];
  readonly dockerfile: BuildRequest['dockerfile'];
}

/** Throws GIT_FAILED, CONTEXT_READ, CONTEXT_NOT_FOUND, STORE_FAILED, and USAGE for a Dockerfile that is not there. */
export async function openSource(source: SourceOptions, place: SourcePlace): Promise<OpenedSource> {
  if (source.kind === 'folder') {
    const { contextFolder, contextLabel, dockerfilePath, dockerfileLabel } = source;
    return {
      context: localContext({ context: contextFolder, label: contextLabel, dockerfilePath }),
      dockerfile: { file: dockerfileLabel, bytes: readDockerfile(source) },
    };
  }
  const files = source.kind === 'git' ? await fetchRepository(source, place) : await unpack(source, place);
  const { source: context, dockerfile } = fetchedContext({ ...files, dockerfile: source.dockerfile });
  place.quote(readSource(dockerfile.bytes, dockerfile.file));
  return { context, dockerfile };
}

const LOGIN_HINT = 'set GIT_TOKEN, or GIT_USERNAME and GIT_PASSWORD';

type Fetched = Omit<FetchedFiles, 'dockerfile'>;

async function fetchRepository(source: RepositorySource, place: SourcePlace): Promise<Fetched> {
  const { repository, certificates, login } = source;
  const { workFolder: folder, env, signal, report } = place;
  const onBegin = (label: string): void => report({ type: 'waiting', message: `fetching ${label}` });
  const options = { folder, env, signal, certificates, loginHint: LOGIN_HINT, onBegin, ...(login === null ? {} : { login }) };
  const { tree, label, commit } = await fetchGitCheckout(repository, options);
  report({ type: 'context', label, commit });
  return { tree, label };
}

async function unpack({ from, label, subPath }: ArchiveSource, place: SourcePlace): Promise<Fetched> {
  const { workFolder: folder, signal, report } = place;
  const stream = from.kind === 'file' ? createReadStream(from.path) : place.stdin();
  if ('isTTY' in stream && stream.isTTY === true) {
    throw new TsbuildError('USAGE', 'the context is to come on stdin, which is a terminal', {
      hint: 'pipe an archive into it: tar -cz -C FOLDER . | tsbuild --context tar://stdin ... (kubectl run and docker run need -i)',
    });
  }
  report({ type: 'waiting', message: `unpacking ${label}` });
  const tree = await unpackArchive({ stream, label, subPath }, { folder, signal });
  report({ type: 'context', label });
  return { tree, label };
}
