import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'

interface Import {
  readonly source: string | null
  readonly isType: boolean
}
interface Rules {
  importsIn(path: string, text: string): Import[]
  circles(edges: readonly (readonly [string, string])[]): string[][]
}

const rules = (): Promise<Rules> =>
  import(pathToFileURL(join(__dirname, '..', '..', '..', 'scripts', 'rules', 'imports.mjs')).href) as Promise<Rules>

test('tells imports of types from imports of values', async (t) => {
  const { importsIn } = await rules()
  const cases: [text: string, isType: boolean][] = [
    ["import type { A } from './b.js'", true],
    ["import type A from './b.js'", true],
    ["import type * as A from './b.js'", true],
    ["import { type A, type B } from './b.js'", true],
    ["import {\n  type A,\n  type B,\n} from './b.js'", true],
    ["export type { A } from './b.js'", true],
    ["export { type A } from './b.js'", true],
    ["import { type A, b } from './b.js'", false],
    ["import { typeCode } from './b.js'", false],
    ["import a, { type B } from './b.js'", false],
    ["import * as a from './b.js'", false],
    ["import './b.js'", false],
    ["export * from './b.js'", false],
    ["export { a } from './b.js'", false],
    ["const a = require('./b.js')", false],
    ["const a = await import('./b.js')", false],
  ]
  for (const [text, isType] of cases) {
    const found = importsIn('api/x/a.ts', `export const before = 1\n${text}\nexport const after = 2\n`)
    t.deepEqual(
      found.map(({ source, isType }) => ({ source, isType })),
      [{ source: 'api/x/b.ts', isType }],
      text,
    )
  }
})

test('names the file that an import means', async (t) => {
  const { importsIn } = await rules()
  const sources = importsIn(
    'cli/draw/a.ts',
    "import a from '../bundled/d3.mjs'\nimport b from '../../index.js'\nimport c from 'node:fs'\n",
  )
  t.deepEqual(
    sources.map(({ source }) => source),
    ['cli/bundled/d3.mts', 'index.ts', null],
  )
})

test('finds every circle, whatever leads into it', async (t) => {
  const { circles } = await rules()
  t.deepEqual(
    circles([
      ['a', 'b'],
      ['b', 'c'],
      ['a', 'c'],
    ]),
    [],
  )
  t.deepEqual(circles([['a', 'a']]), [['a']])
  t.deepEqual(
    circles([
      ['start', 'a'],
      ['a', 'b'],
      ['b', 'a'],
      ['b', 'end'],
    ]),
    [['a', 'b']],
  )
  t.deepEqual(
    circles([
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'a'],
      ['c', 'd'],
      ['d', 'e'],
      ['e', 'd'],
      ['d', 'b'],
    ]),
    [['a', 'b', 'c', 'd', 'e']],
  )
  t.deepEqual(
    circles([
      ['a', 'b'],
      ['b', 'a'],
      ['c', 'd'],
      ['d', 'c'],
      ['a', 'c'],
    ])
      .map(String)
      .sort(),
    ['a,b', 'c,d'],
  )
})
