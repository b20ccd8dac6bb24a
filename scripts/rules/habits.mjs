// What formatters, linters and a spell checker find: each says nothing where all is well.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MAX_LENGTH } from '../comments.mjs'
import { oxfmt, unwrapped } from '../format.mjs'
import { Failure, capture, root, tool } from '../process.mjs'
import { projectFiles, read } from './files.mjs'

/** What oxfmt would change: .oxfmtrc.json says how. */
function unformatted() {
  const { ok, stdout, stderr } = capture([...oxfmt(), '--list-different'])
  return ok ? [] : linesOf(stdout || stderr, (line) => line !== '').map((line) => `${line}: npm run format`)
}

/** Comments as formatters leave them: too long. */
function longComments() {
  return unwrapped().map(({ path, text, wanted }) => {
    const others = wanted.split('\n')
    const at = text.split('\n').findIndex((line, i) => line !== others[i])
    return `${path}:${at + 1}: npm run format`
  })
}

/** Code is as long in Rust as in TypeScript, and comments are as long as code. */
function lengths() {
  const { printWidth } = JSON.parse(read('.oxfmtrc.json'))
  const maxWidth = Number(/^max_width = (\d+)$/m.exec(read('rustfmt.toml'))?.[1])
  const wrong = Object.entries({ '.oxfmtrc.json': printWidth, 'rustfmt.toml': maxWidth }).filter(
    ([, width]) => width !== MAX_LENGTH,
  )
  return wrong.map(([path, width]) => `${path}: ${width}, not ${MAX_LENGTH}`)
}

/** Of oxlint, with the types of the compiler: .oxlintrc.json says which rules. */
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

/** Exports, files and dependencies that nothing uses: knip.json says where the uses begin. */
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

/** Words that neither a dictionary nor a list in scripts/words/ has: cspell.json says what is looked at. */
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

/** Words of the lists that stand in no file any more. */
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
  { name: `comments have lines of at most ${MAX_LENGTH}`, offenders: longComments },
  { name: 'lines are as long in Rust as in TypeScript', offenders: lengths },
  { name: 'oxlint has nothing to say', offenders: lints },
  { name: 'nothing is exported, installed or kept that nothing uses', offenders: unused },
  { name: 'words are spelt as dictionaries spell them', offenders: misspelt },
  { name: 'the lists of words have those alone that are used', offenders: listedInVain },
]
