/** Media types of manifests, configs and layers, in both families. */
export type ImageFormat = 'oci' | 'docker';
export type LayerCompression = 'none' | 'gzip' | 'zstd';

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json';

/** The layer's media type. zstd exists only in the OCI family. */
export function layerMediaType(format: ImageFormat, compression: LayerCompression): string {
  if (format === 'docker' && compression === 'gzip') return 'application/vnd.docker.image.rootfs.diff.tar.gzip';
  if (format === 'docker' && compression === 'none') return 'application/vnd.docker.image.rootfs.diff.tar';
  const base = 'application/vnd.oci.image.layer.v1.tar';
  return compression === 'none' ? base : `${base}+${compression}`;
}

/** How a layer of this media type is compressed; null when it is not a layer that we know. Foreign (non-distributable) layers count. */
export function compressionOf(mediaType: string): LayerCompression | null {
  if (!/^application\/vnd\.(oci\.image\.layer|docker\.image\.rootfs)\./.test(mediaType)) return null;
  if (/[.+]gzip$/.test(mediaType)) return 'gzip';
  if (/[.+]zstd$/.test(mediaType)) return 'zstd';
  if (/\.tar$/.test(mediaType)) return 'none';
  return null;
}
