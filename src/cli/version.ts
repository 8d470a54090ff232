/** tsbuild's own version. The bundler puts package.json's text in here, so that no file is read for it. */
import packageJson from '../../package.json' with { type: 'json' };

export const VERSION: string = packageJson.version;
