/** Which registries a Docker config file has something for, without the secrets: for reports to people. */
import { readCredentialFile } from './credentials.ts';

export interface CredentialHosts {
  /** `host` or `host/path`, sorted. */
  readonly hosts: readonly string[];
  /** Names of helper programs. */
  readonly helpers: readonly string[];
}

/** Null: there is no such file. Throws AUTH_CONFIG_INVALID. */
export async function credentialHosts(file: string): Promise<CredentialHosts | null> {
  const config = await readCredentialFile(file);
  if (config === null) return null;
  const { auths, credHelpers, credsStore } = config;
  return {
    hosts: [...new Set([...auths.keys(), ...credHelpers.keys()])].sort(),
    helpers: [...new Set([...credHelpers.values(), ...(credsStore === null ? [] : [credsStore])])].sort(),
  };
}
