/** The environment of a Node process of tsbuild's own, such as one that is about to become a command, which gets exactly its own. */

/**
 * What Node itself may need to start, and no more. OpenSSL would load what /etc/ssl/openssl.cnf names into it before anything limits
 * it, and in place that file is the command's before: empty, the variable stands for no file.
 */
export function nodeEnvironment(): Readonly<Record<string, string>> {
  const libraries = process.env['LD_LIBRARY_PATH'];
  return { OPENSSL_CONF: '', ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries }) };
}
