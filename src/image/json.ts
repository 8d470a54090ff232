/** JSON of others, looked at with care: what is not as it should be is IMAGE_INVALID. */
import { TsbuildError } from '../errors.ts';

export type JsonObject = { readonly [key: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `what` begins the message: "the manifest". Throws IMAGE_INVALID. */
export function parseJsonObject(bytes: Uint8Array, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new TsbuildError('IMAGE_INVALID', `${what} is not JSON`, { cause });
  }
  if (!isObject(value)) throw new TsbuildError('IMAGE_INVALID', `${what} is not a JSON object`);
  return value;
}

/** A list that Go writes as `null` when it is empty. Throws IMAGE_INVALID. */
export function listAt(object: JsonObject, key: string, what: string): readonly unknown[] {
  const value = object[key] ?? [];
  if (!Array.isArray(value)) throw new TsbuildError('IMAGE_INVALID', `${what} has no list "${key}"`);
  return value;
}

export function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

export function isTextRecord(value: unknown): value is Readonly<Record<string, string>> {
  return isObject(value) && Object.values(value).every((item) => typeof item === 'string');
}
