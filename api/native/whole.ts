// Checks that the package is complete, as it was installed. This runs before anything else is loaded and uses no Node
// modules: in some bundles importing those fails first, with the bundler's message.

import { BinaryError } from '../base/errors.js'

/** The path of this module in a complete package; in a bundle it has another name or none. */
const HERE = /^(?:\/|\\\\|[A-Za-z]:[\\/]).*[\\/]dist[\\/]api[\\/]native[\\/]whole\.js$/

/** The error for a package whose files were separated, most likely by a bundler. */
export function notWhole(found: string, cause?: unknown): BinaryError {
  const needed = 'tokenbed as it was installed, outside any bundle, with its binary and its vocabularies'
  const ways = [
    "esbuild, Rollup, tsup, Bun: external: ['tokenbed']",
    "webpack: externals: { tokenbed: 'commonjs tokenbed' }",
    "Vite: ssr: { external: ['tokenbed'] }",
    "Next.js: serverExternalPackages: ['tokenbed']",
  ]
  const mend = `mark tokenbed as external in the bundler, and run npm install tokenbed where the program runs; ${ways.join('; ')}`
  const what = 'tokenbed was bundled, or copied without its other files, and cannot find them'
  const lines = [
    `tokenbed's native part cannot be loaded: ${what}.`,
    `  found:  ${found}`,
    `  needed: ${needed}`,
    `  mend:   ${mend}`,
  ]
  return new BinaryError(lines.join('\n'), cause, { reason: 'bundled', found, needed, mend })
}

const file = typeof __filename === 'string' ? __filename : 'a module without a path'
if (!HERE.test(file)) throw notWhole(`${file} instead of tokenbed's dist/api/native/whole.js`)
