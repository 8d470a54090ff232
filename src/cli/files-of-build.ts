/** What of a build lies on this machine by the user's word: where `/` becomes the rootfs, it stays as it is. */
import { isLayoutReference, parseLayoutReference } from '../image/layout-reference.ts';
import type { BuildOptions, NamedContextOption } from './options.ts';

/** Absolute paths of files and folders; those of outputs need not exist yet. */
export function filesOfBuild({ source, image, output, resultFiles, execution }: BuildOptions): readonly string[] {
  const secrets = execution.secrets.map(({ from }) => (from.kind === 'file' ? from.path : null));
  const results = [resultFiles.digestFile, resultFiles.imageNameWithDigestFile, resultFiles.imageNameTagWithDigestFile];
  const found = [...sourceFiles(source), ...[...image.contexts.values()].map(contextFolder), output.tarPath, output.ociLayoutPath];
  return [...found, ...results, ...secrets].filter((path) => path !== null);
}

function sourceFiles(source: BuildOptions['source']): (string | null)[] {
  switch (source.kind) {
    case 'folder':
      // What else lies beside the Dockerfile is nobody's.
      return [source.contextFolder, source.dockerfilePath];
    case 'git':
      return [source.dockerfile.kind === 'file' ? source.dockerfile.path : null];
    case 'archive':
      return [source.from.kind === 'file' ? source.from.path : null, source.dockerfile.kind === 'file' ? source.dockerfile.path : null];
  }
}

function contextFolder(context: NamedContextOption): string | null {
  if (context.kind === 'folder') return context.folder;
  return 'ref' in context && isLayoutReference(context.ref) ? parseLayoutReference(context.ref).folder : null;
}
