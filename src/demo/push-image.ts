/** Sends a made image to a registry over HTTP, in the plainest way the spec knows. */

import { digestOf } from '../image/digest.ts';
import type { MadeImage } from './base-image.ts';

/** `host` speaks plain HTTP. Throws on any answer that is not the expected one. */
export async function pushImage(
  image: MadeImage,
  place: { readonly host: string; readonly repository: string; readonly tag: string },
): Promise<void> {
  const origin = `http://${place.host}`;
  for (const blob of image.blobs) {
    const begun = await expect(202, `${origin}/v2/${place.repository}/blobs/uploads/`, { method: 'POST' });
    const location = new URL(begun.headers.get('location') ?? '', origin);
    location.searchParams.set('digest', digestOf(blob));
    await expect(201, location, { method: 'PUT', body: new Uint8Array(blob) });
  }
  await expect(201, `${origin}/v2/${place.repository}/manifests/${place.tag}`, {
    method: 'PUT',
    headers: { 'content-type': image.manifest.mediaType },
    body: new Uint8Array(image.manifest.bytes),
  });
}

async function expect(status: number, url: string | URL, request: RequestInit): Promise<Response> {
  const response = await fetch(url, request);
  const text = await response.text();
  if (response.status !== status) throw new Error(`${request.method} ${String(url)} was answered with ${response.status}: ${text}`);
  return response;
}
