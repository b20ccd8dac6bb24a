// The reference of the API as Markdown, from the docstrings: a page for each export, in the groups of the site.
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { GROUPS } from '../../docs/site/contents.mjs'
import { Failure, root, run, tool } from '../process.mjs'

const entries = join(root, 'docs/site/entries')
const ENTRIES = ['index.ts', 'queue.ts', 'arrow.ts']

/**
 * Writes a page for each export into the folder of the pages, `api/GROUP/classes/X.md` and so on, and adds their list
 * to the page that introduces the group.
 */
export function writeReference(pages) {
  writeEntries()
  const out = join(pages, 'api')
  run([
    ...tool('typedoc', 'typedoc'),
    '--plugin',
    join(root, 'docs/site/node_modules/typedoc-plugin-markdown/dist/index.js'),
    ...Object.keys(GROUPS).flatMap((group) => ['--entryPoints', join(entries, `${basename(group)}.ts`)]),
    '--tsconfig',
    join(entries, 'tsconfig.json'),
    '--out',
    out,
    '--name',
    'tokenbed',
    '--readme',
    'none',
    '--excludeInternal',
    '--excludePrivate',
    '--disableSources',
    '--logLevel',
    'Error',
    '--hideBreadcrumbs',
    '--hidePageHeader',
    '--cleanOutputDir',
    'false',
    '--entryFileName',
    'contents',
    '--parametersFormat',
    'table',
    '--propertyMembersFormat',
    'table',
    '--enumMembersFormat',
    'table',
    '--typeDeclarationFormat',
    'table',
    '--expandParameters',
    '--disableGit',
  ])
  rmSync(entries, { recursive: true })
  rmSync(join(out, 'contents.md'))
  for (const group of Object.keys(GROUPS)) addList(pages, group)
}

/** The kinds of exports, by their folders, in the order in which a page lists them. */
const KINDS = {
  classes: 'Classes',
  functions: 'Functions',
  variables: 'Values',
  interfaces: 'Options and results',
  'type-aliases': 'Types',
}

function addList(pages, group) {
  const folder = join(pages, group)
  rmSync(join(folder, 'contents.md'))
  for (const [kind, title] of Object.entries(KINDS)) {
    if (!existsSync(join(folder, kind))) continue
    const rows = readdirSync(join(folder, kind))
      .filter((name) => name.endsWith('.md'))
      .sort()
      .map((name) => {
        const text = readFileSync(join(folder, kind, name), 'utf8')
        return `| [${basename(name, '.md')}](./${basename(group)}/${kind}/${name}) | ${firstSentence(text)} |`
      })
    appendFileSync(join(pages, `${group}.md`), `\n## ${title}\n\n| | |\n|---|---|\n${rows.join('\n')}\n`)
  }
}

/** The first sentence of a page's text, without its links, for a cell of a table. */
function firstSentence(page) {
  // What stands behind the first heading is about a part of it.
  const [about] = page.split('\n## ')
  const paragraph = about.split('\n\n').find((part) => part !== '' && !/^(#|>|[-*] |\||\*\*\*)/.test(part)) ?? ''
  const text = paragraph
    .replace(/\s+/g, ' ')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/(?<!\\)\|/g, '\\|')
  // The point of `et al.` ends no sentence, and a list behind a colon is left out.
  return /^.*?(?<!\bal)\.(?= |$)/.exec(text)?.[0] ?? text.replace(/:$/, '.')
}

/** An entry for typedoc for each group, which exports what is in the group. */
function writeEntries() {
  rmSync(entries, { recursive: true, force: true })
  mkdirSync(entries)
  const groups = new Map(Object.keys(GROUPS).map((group) => [group, []]))
  for (const entry of ENTRIES) {
    const text = readFileSync(join(root, entry), 'utf8')
    for (const [line, from] of text.matchAll(/^export (?:type )?(?:\{[^}]*\}|\*) from '\.\/api\/(.*)\.js'/gm))
      groups.get(groupOf(from)).push(line.replace("'./api/", "'../../../api/"))
  }
  for (const [group, lines] of groups) {
    if (lines.length === 0) throw new Failure(`docs/site/contents.mjs: the group ${group} has nothing in it`)
    writeFileSync(join(entries, `${basename(group)}.ts`), `${lines.join('\n')}\n`)
  }
  const settings = { extends: '../../../tsconfig.json', include: ['*.ts', '../../../native.d.cts'] }
  const compilerOptions = { rootDir: '../../..', noEmit: true, incremental: false, tsBuildInfoFile: null }
  writeFileSync(join(entries, 'tsconfig.json'), JSON.stringify({ ...settings, compilerOptions }))
}

function groupOf(from) {
  const holds = (place) => from === place || from.startsWith(`${place}/`)
  const found = Object.entries(GROUPS).find(([, places]) => places.some(holds))
  if (found === undefined) throw new Failure(`docs/site/contents.mjs: api/${from}.ts belongs to no group`)
  return found[0]
}
