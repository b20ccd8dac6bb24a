// Which TypeScript may import which.
import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { badLines, projectFiles, read } from './files.mjs'

const IMPORT = /\b(?:from|import|require)\s*\(?\s*['"]([^'"]+)['"]/g

/** Every import of every TypeScript file: from where, what it says, and what file of the project that is, if any. */
function imports() {
  return projectFiles()
    .filter((path) => /\.[cm]?ts$/.test(path))
    .flatMap((path) =>
      [...read(path).matchAll(IMPORT)].map(([, said]) => {
        const target = said.startsWith('.') ? posix.join(posix.dirname(path), said) : null
        return { path, said, target }
      }),
    )
}

const offendersAmong = (isOffender) => () =>
  imports()
    .filter(isOffender)
    .map(({ path, said }) => `${path} imports ${said}`)

/** A package of somebody else's: neither a file nor a part of Node, nor words in a text that look like an import. */
const isPackage = ({ said, target }) => target === null && /^(@[\w-]+\/)?[\w-][\w./-]*$/.test(said) && !isBuiltin(said)

const isIn = (folder, path) => path.startsWith(`${folder}/`)
const OUTSIDE = ['cli', 'examples', 'bench']

export const typescriptRules = [
  {
    name: 'index.ts imports only api/',
    offenders: offendersAmong(({ path, target }) => path === 'index.ts' && !(target && isIn('api', target))),
  },
  {
    name: 'api/ imports nothing above it',
    offenders: offendersAmong(
      ({ path, said, target }) => isIn('api', path) && target && !isIn('api', target) && !isNative(said),
    ),
  },
  {
    name: 'only api/native/native.ts imports native.cjs',
    offenders: offendersAmong(({ path, said }) => path !== 'api/native/native.ts' && isNative(said)),
  },
  {
    name: 'api/ and cli/ import no package but in cli/bundled/, whose files hold what they import',
    offenders: offendersAmong((one) => ['api', 'cli'].some((folder) => isIn(folder, one.path)) && !isIn('cli/bundled', one.path) && isPackage(one) && !one.said.startsWith('tokenbed-')),
  },
  {
    name: 'cli/, examples/ and bench/ import tokenbed only through index',
    offenders: offendersAmong(({ path, target }) =>
      OUTSIDE.some((folder) => isIn(folder, path) && target && !isIn(folder, target) && target !== 'index.js'),
    ),
  },
  {
    name: 'api/ and cli/ do without `using`, which needs a global Symbol.dispose: test runners have realms that lack it',
    offenders: () => badLines(projectFiles().filter((path) => /^(api|cli)\/.*\.m?ts$/.test(path)), (line) => /^\s*(await )?using \w+ =/.test(line)),
  },
  {
    name: 'api/ asks no value for its class that another realm may have made: api/base/realm.ts has what holds in each',
    offenders: () => badLines(projectFiles().filter((path) => /^api\/.*\.ts$/.test(path)), (line) => FOREIGN.test(line)),
  },
]

/** `instanceof` of a class of the language's, or of one that comes with Node's first realm. */
const FOREIGN = /instanceof (?:Object|Array|Function|Map|Set|Weak\w+|Date|RegExp|Promise|(?:Type|Range|Syntax)?Error|(?:Shared)?ArrayBuffer|(?:Big)?(?:Int|Uint|Float)\d+\w*|URL|AbortSignal)\b/

function isNative(said) {
  return said.endsWith('/native.cjs')
}
