// Runs the formatters, the linters and the spell checker. Each reports nothing if all is well.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MAX_LENGTH } from '../comments.mjs'
import { oxfmt, unwrapped } from '../format.mjs'
import { Failure, capture, root, tool } from '../process.mjs'
import { projectFiles, read } from './files.mjs'

/** The files that oxfmt would change. Its settings are in .oxfmtrc.json. */
function unformatted() {
  const { ok, stdout, stderr } = capture([...oxfmt(), '--list-different'])
  return ok ? [] : linesOf(stdout || stderr, (line) => line !== '').map((line) => `${line}: npm run format`)
}

/** The files that have comment lines longer than the limit, which formatters leave as they are. */
function longComments() {
  return unwrapped().map(({ path, text, wanted }) => {
    const others = wanted.split('\n')
    const at = text.split('\n').findIndex((line, i) => line !== others[i])
    return `${path}:${at + 1}: npm run format`
  })
}

/** Checks that the formatters of Rust and of TypeScript have the same limit as comments. */
function lengths() {
  const { printWidth } = JSON.parse(read('.oxfmtrc.json'))
  const maxWidth = Number(/^max_width = (\d+)$/m.exec(read('rustfmt.toml'))?.[1])
  const wrong = Object.entries({ '.oxfmtrc.json': printWidth, 'rustfmt.toml': maxWidth }).filter(
    ([, width]) => width !== MAX_LENGTH,
  )
  return wrong.map(([path, width]) => `${path}: ${width}, not ${MAX_LENGTH}`)
}

/** What oxlint reports, with the compiler's types. Its rules are in .oxlintrc.json. */
function lints() {
  if (!existsSync(join(root, 'native.d.cts')))
    throw new Failure('the types of the native side are not built: npm run build')
  const { ok, stdout, stderr } = capture([
    ...tool('oxlint', 'oxlint'),
    '--type-aware',
    '--deny-warnings',
    '--format',
    'unix',
  ])
  return ok ? [] : linesOf(`${stdout}${stderr}`, (line) => /^\S+:\d+:\d+: /.test(line))
}

/** Exports, files and dependencies that nothing uses. knip.json lists the entry points. */
function unused() {
  const { ok, stdout, stderr } = capture([
    ...tool('knip', 'knip'),
    '--no-progress',
    '--no-config-hints',
    '--reporter',
    'compact',
  ])
  return ok ? [] : linesOf(`${stdout}${stderr}`, (line) => line.trim() !== '')
}

/** Words that are neither in a dictionary nor in a list in scripts/words/. cspell.json says which files are checked. */
function misspelt() {
  const options = [
    '--no-progress',
    '--no-summary',
    '--no-color',
    '--cache',
    '--cache-strategy',
    'content',
    '--cache-location',
    'node_modules/.cache/cspell',
  ]
  const { ok, stdout, stderr } = capture([
    ...tool('cspell', 'cspell'),
    'lint',
    '--dot',
    '--gitignore',
    ...options,
    '**',
  ])
  return ok ? [] : linesOf(`${stdout}${stderr}`, (line) => line.includes('Unknown word'))
}

/** Words of the lists that no file contains any more. */
function listedInVain() {
  const paths = projectFiles()
  const lists = paths.filter((path) => path.startsWith('scripts/words/'))
  const text = paths
    .filter((path) => !lists.includes(path))
    .map((path) => read(path).toLowerCase())
    .join('\n')
  return lists.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((word, i) => (word.startsWith('#') || text.includes(word) ? [] : [`${path}:${i + 1}: ${word}`])),
  )
}

function linesOf(output, isOffender) {
  const found = output.split('\n').filter(isOffender)
  if (found.length === 0) throw new Failure(output.trim())
  return found
}

export const habitRules = [
  { name: 'TypeScript, JavaScript and JSON are formatted', offenders: unformatted },
  { name: `comment lines have at most ${MAX_LENGTH} characters`, offenders: longComments },
  { name: 'Rust and TypeScript have the same line length', offenders: lengths },
  { name: 'oxlint reports nothing', offenders: lints },
  { name: 'every export, dependency and file is used', offenders: unused },
  { name: 'every word is in a dictionary or a list of words', offenders: misspelt },
  { name: 'every word of the lists is used', offenders: listedInVain },
]
