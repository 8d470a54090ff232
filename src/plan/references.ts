/** Whether a text can be an image reference. Parsing it is the registry's. Spec: distribution/reference grammar. */
import { semanticError } from './faults.ts';

const DOMAIN = String.raw`(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?`;
const COMPONENT = String.raw`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`;
const TAG = String.raw`\w[\w.-]{0,127}`;
const DIGEST = `[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}`;
const REFERENCE = new RegExp(`^(?:${DOMAIN}/)?${COMPONENT}(?:/${COMPONENT})*(?::${TAG})?(?:@${DIGEST})?$`);

/** A name has at most 255 characters, a tag 128: this leaves room for every digest, and keeps the expression from taking long. */
const LONGEST = 1024;

/** Throws DOCKERFILE_SEMANTICS. */
export function checkReference(ref: string): void {
  if (ref.length <= LONGEST && REFERENCE.test(ref) && !/^[0-9a-f]{64}$/.test(ref)) return;
  const repository = ref.slice(0, LONGEST).replace(/[@:][^/]*$/, '');
  const hint = /[A-Z]/.test(repository) ? 'image names are lower case' : 'an image is [host/]name[:tag][@digest]';
  throw semanticError(`"${ref}" is not an image reference`, hint);
}
