/**
 * An image as the bytes that are published: its config and its manifest. Pure, and the only place where these bytes are
 * made, so that every output of a build has the same digest. Spec: OCI image-spec manifest.md and config.md.
 */
import { TsbuildError } from '../errors.ts';
import { digestOf } from './digest.ts';
import type { ContainerConfig, Descriptor, Image, ImageConfig, Images } from './image.ts';
import {
  compressionOf,
  DOCKER_CONFIG,
  DOCKER_MANIFEST,
  type ImageFormat,
  layerMediaType,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_MANIFEST,
} from './media-types.ts';

export interface Document {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

export interface AssembledImage {
  readonly manifest: Document;
  readonly config: Document;
}

/**
 * Layers of both families are named in one: the image's own, or OCI where a layer is zstd, which Docker's family does not have.
 * Throws IMAGE_INVALID for a layer of an unknown media type.
 */
export function assembleImage(image: Image): AssembledImage {
  const format = image.layers.some((layer) => compressionOf(layer.descriptor.mediaType) === 'zstd') ? 'oci' : image.format;
  checkDiffIds(image);
  const config = documentOf(format === 'oci' ? OCI_CONFIG : DOCKER_CONFIG, orderedConfig(image.config));
  const mediaType = format === 'oci' ? OCI_MANIFEST : DOCKER_MANIFEST;
  const manifest = documentOf(mediaType, {
    schemaVersion: 2,
    mediaType,
    config: config.descriptor,
    layers: image.layers.map((layer) => convertLayer(layer.descriptor, format)),
  });
  return { manifest, config };
}

/** What one name stands for: an image, or an index of images for several platforms. */
export interface AssembledPublication {
  readonly images: readonly AssembledImage[];
  /** Of several images. */
  readonly index: Document | null;
  /** What the name points to: the index, else the image's manifest. */
  readonly top: Document;
}

/** Several images get an index in the order given. Throws IMAGE_INVALID as `assembleImage` does. */
export function assemblePublication(images: Images): AssembledPublication {
  const assembled = images.map(assembleImage);
  const [first] = assembled;
  if (first === undefined) throw new Error('there is no image to publish');
  if (images.length === 1) return { images: assembled, index: null, top: first.manifest };
  const manifests = images.map(({ config }, i) => ({ ...assembled[i]?.manifest.descriptor, platform: platformObject(config) }));
  const index = documentOf(OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  return { images: assembled, index, top: index };
}

/** A config's platform as descriptors of manifests name it. */
export function platformObject({ architecture, os, variant }: ImageConfig): object {
  return { architecture, os, ...(variant === undefined || variant === '' ? {} : { variant }) };
}

function checkDiffIds({ config, layers }: Image): void {
  const known = config.rootfs.diff_ids;
  if (known.length !== layers.length || layers.some((layer, i) => layer.diffId !== known[i])) {
    throw new Error('the diff ids of the image config are not those of its layers');
  }
}

function documentOf(mediaType: string, value: object): Document {
  const bytes = Buffer.from(JSON.stringify(value));
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } };
}

/** The same manifest with annotations of its own. */
export function annotateManifest({ bytes, descriptor }: Document, annotations: Readonly<Record<string, string>>): Document {
  return documentOf(descriptor.mediaType, { ...(JSON.parse(Buffer.from(bytes).toString()) as object), annotations });
}

/** Layers that only their maker may hand out: their blobs are never pushed, `urls` say where they are. */
export function isForeignLayer(descriptor: Descriptor): boolean {
  return /\.(foreign|nondistributable)\./.test(descriptor.mediaType);
}

function convertLayer(descriptor: Descriptor, format: ImageFormat): Descriptor {
  const { digest, size, urls, annotations } = descriptor;
  const compression = compressionOf(descriptor.mediaType);
  if (compression === null) {
    throw new TsbuildError('IMAGE_INVALID', `layer ${digest} has the media type ${descriptor.mediaType}, which is not a layer's`);
  }
  const plain = layerMediaType(format, compression);
  const foreign =
    format === 'oci' ? plain.replace('layer.v1', 'layer.nondistributable.v1') : plain.replace('rootfs.diff', 'rootfs.foreign.diff');
  return {
    mediaType: isForeignLayer(descriptor) ? foreign : plain,
    digest,
    size,
    ...(urls === undefined ? {} : { urls }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** The order of the OCI specification; what it does not name comes last, in the base's order. */
const CONFIG_ORDER = ['created', 'author', 'architecture', 'os', 'os.version', 'os.features', 'variant', 'config', 'rootfs', 'history'];
/** Docker's order, which consumers are used to see. */
const CONTAINER_ORDER = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Healthcheck',
  'ArgsEscaped',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'Shell',
  'OnBuild',
];

function orderedConfig(config: ImageConfig): object {
  const container = config.config === undefined ? {} : { config: orderedContainerConfig(config.config) };
  return ordered({ ...config, ...container }, CONFIG_ORDER);
}

function orderedContainerConfig(config: ContainerConfig): object {
  const { ExposedPorts, Volumes, Labels } = config;
  return ordered(
    {
      ...config,
      ...(ExposedPorts === undefined ? {} : { ExposedPorts: sorted(ExposedPorts) }),
      ...(Volumes === undefined ? {} : { Volumes: sorted(Volumes) }),
      ...(Labels === undefined ? {} : { Labels: sorted(Labels) }),
    },
    CONTAINER_ORDER,
  );
}

function ordered(object: Readonly<Record<string, unknown>>, order: readonly string[]): object {
  const known = order.filter((key) => object[key] !== undefined);
  const others = Object.keys(object).filter((key) => !order.includes(key));
  return Object.fromEntries([...known, ...others].map((key) => [key, object[key]]));
}

/** As Go writes maps: the order in which a Dockerfile sets labels does not change the image. */
function sorted<V>(record: Readonly<Record<string, V>>): Record<string, V> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
