// The pages of the site, as Markdown in one folder: the project's own pages with their links turned to where the pages
// stand on the site, and pages made from the commands and from the records of benchmarks.
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { ELSEWHERE, SECTIONS } from '../../docs/site/contents.mjs'
import { Failure, capture, root } from '../process.mjs'

const RECORDS = 'bench/records'

/** The pages of docs/, as paths under docs/. */
const docsPages = () =>
  readdirSync(join(root, 'docs'), { recursive: true })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.md') && !/^(site|reference)\//.test(path))
    .sort()

/** The place on the site of a file of the project, or undefined if the site does not have it. */
function placeOf(path) {
  if (ELSEWHERE[path] !== undefined) return ELSEWHERE[path]
  if (path === RECORDS) return 'benchmarks/index.md'
  if (path.startsWith(`${RECORDS}/`)) return path.replace(RECORDS, 'benchmarks')
  if (path.startsWith('docs/')) return path.slice('docs/'.length)
  return undefined
}

/** The text of a page with its links turned. What is not on the site is named instead of linked. */
function turned(text, from, to) {
  const parts = text.split(/(^```[^]*?^```)/m)
  return parts
    .map((part, i) =>
      i % 2 === 1
        ? part
        : part.replace(/(!?)\[([^\]\n]*)\]\(([^)\s]+)\)/g, (whole, picture, label, href) => {
            if (/^([a-z]+:|#)/.test(href)) return whole
            const [path, anchor] = href.split('#')
            const file = posix.normalize(posix.join(posix.dirname(from), path)).replace(/\/$/, '')
            const place = placeOf(file)
            if (place === undefined) return label.includes('`') ? label : `${label} (\`${file}\`)`
            const title = label.endsWith('.md')
              ? titleOf(readFileSync(join(root, file), 'utf8')).replace(/:.*/, '')
              : label
            const way = posix.relative(posix.dirname(to), place)
            return `${picture}[${title}](${way.startsWith('.') ? way : `./${way}`}${anchor ? `#${anchor}` : ''})`
          }),
    )
    .join('')
}

const titleOf = (text) => /^# (.*)$/m.exec(text)?.[1] ?? ''

/** Writes all pages but the reference into a folder. */
export function writePages(out) {
  const write = (place, text) => {
    if (/\{\{(?=[^`]*$)/m.test(text.replace(/^```[^]*?^```/gm, '').replace(/`[^`\n]*`/g, '')))
      throw new Failure(`${place}: {{ outside of code is a program to the site`)
    mkdirSync(dirname(join(out, place)), { recursive: true })
    writeFileSync(join(out, place), text)
  }
  const copy = (path) => write(placeOf(path), turned(readFileSync(join(root, path), 'utf8'), path, placeOf(path)))
  for (const path of Object.keys(ELSEWHERE)) copy(path)
  for (const path of docsPages()) copy(`docs/${path}`)
  const records = readdirSync(join(root, RECORDS)).filter((name) => name.endsWith('.md'))
  for (const name of records) copy(`${RECORDS}/${name}`)
  write('benchmarks/index.md', recordsPage(records))
  write('commands.md', commandsPage())
  cpSync(join(root, 'docs/pictures'), join(out, 'pictures'), { recursive: true })
  checkContents(out)
}

/** A table of the records, the newest first. */
function recordsPage(names) {
  const rows = names
    .map((name) => {
      const text = readFileSync(join(root, RECORDS, name), 'utf8')
      const machine = /(AMD|Intel|Apple|Arm)[^,;.]*/.exec(text)?.[0].trim() ?? ''
      return { name, date: name.slice(0, 10), title: titleOf(text), machine }
    })
    .sort((a, b) => (a.date === b.date ? a.title.localeCompare(b.title) : a.date < b.date ? 1 : -1))
  const lines = rows.map(({ name, date, title, machine }) => `| ${date} | [${title}](./${name}) | ${machine} |`)
  return `# Benchmarks

Each page is one record: what was measured, on which machine, by which command, and what fell short. A record is never changed
afterwards. [How fast](../speed.md) has the numbers that matter most.

| date | what was measured | machine |
|---|---|---|
${lines.join('\n')}
`
}

/** The help of every command, as the program prints it. */
function commandsPage() {
  const program = [process.execPath, join(root, 'dist/cli/main.js')]
  if (!existsSync(program[1])) throw new Failure('dist/cli/main.js is missing: npm run build makes it')
  const helpOf = (words) => {
    const { ok, stdout, stderr } = capture([...program, ...words, '--help'])
    if (!ok) throw new Failure(`tokenbed ${words.join(' ')} --help: ${stderr}`)
    return stdout.trimEnd()
  }
  const commandsIn = (help) => [...help.matchAll(/^ {2}([a-z]+) .*$/gm)].map(([, name]) => name)
  const part = (help) => /^Commands:\n([^]*?)(\n\n|$(?![^]))/m.exec(help)?.[1] ?? ''
  const whole = helpOf([])
  const sections = commandsIn(part(whole))
    .filter((name) => name !== 'help')
    .flatMap((name) => {
      const help = helpOf([name])
      const inner = commandsIn(part(help)).filter((one) => one !== 'help')
      return [[name, help], ...inner.map((one) => [`${name} ${one}`, helpOf([name, one])])]
    })
  const shown = sections.map(([name, help]) => `## tokenbed ${name}\n\n\`\`\`text\n${help}\n\`\`\`\n`)
  return `# All commands

What \`--help\` prints. [The command](./command-line.md) shows what they are for.

\`\`\`text
${whole}
\`\`\`

${shown.join('\n')}`
}

/** Every page is in the contents, and everything in the contents is a page. */
function checkContents(out) {
  const listed = new Set(SECTIONS.flatMap(({ pages }) => pages))
  const missing = [...listed].filter((page) => !existsSync(join(out, `${page}.md`)))
  const unlisted = docsPages().filter((path) => !listed.has(path.replace(/\.md$/, '')))
  if (missing.length > 0)
    throw new Failure(`docs/site/contents.mjs lists pages that are missing: ${missing.join(', ')}`)
  if (unlisted.length > 0) throw new Failure(`docs/site/contents.mjs does not list: ${unlisted.join(', ')}`)
}

/** Titles and first paragraphs of the pages that the contents list. */
function listed(out) {
  return SECTIONS.map(({ title, pages }) => ({
    title,
    pages: pages.map((page) => {
      const text = readFileSync(join(out, `${page}.md`), 'utf8')
      const about = /^# .*\n+((?![#|`!<-])[^]*?)(\n\n|$(?![^]))/m.exec(text)?.[1].replace(/\s+/g, ' ') ?? ''
      return { page, title: titleOf(text), about, text }
    }),
  }))
}

/** The bar on the side and the bar on top. */
export function writeNavigation(out) {
  const sections = listed(out)
  const sidebar = [
    ...sections.map(({ title, pages }) => ({
      text: title,
      collapsed: !['Guide', 'Cookbook'].includes(title),
      items: pages.map(({ page, title: text }) => ({
        text: text.replace(/:.*/, '').replace(/`/g, ''),
        link: `/${page}`,
      })),
    })),
    { text: 'Benchmarks', link: '/benchmarks/' },
  ]
  const first = (title) => `/${SECTIONS.find((section) => section.title === title).pages[0]}`
  const nav = [
    ...['Guide', 'Cookbook', 'API'].map((text) => ({ text, link: first(text) })),
    { text: 'Benchmarks', link: '/benchmarks/' },
  ]
  writeFileSync(join(out, 'navigation.json'), JSON.stringify({ sidebar, nav }))
}

/** llms.txt, which lists the pages for programs, and llms-full.txt with their whole text; see llmstxt.org. */
export function writeForPrograms(pages, dist) {
  const sections = listed(pages)
  const list = sections.map(
    ({ title, pages: its }) =>
      `## ${title}\n\n${its.map(({ page, title: name, about }) => `- [${name}](${page}.md)${about && `: ${about}`}`).join('\n')}\n`,
  )
  const first = readFileSync(join(pages, 'index.md'), 'utf8')
  const about = /^# .*\n+([^]*?)\n\n/.exec(first)[1].replace(/\n/g, '\n> ')
  writeFileSync(join(dist, 'llms.txt'), `# tokenbed\n\n> ${about}\n\n${list.join('\n')}`)
  const all = sections.flatMap(({ pages: its }) => its.map(({ text }) => text.trimEnd()))
  writeFileSync(join(dist, 'llms-full.txt'), `${all.join('\n\n')}\n`)
  for (const { page, text } of sections.flatMap(({ pages: its }) => its)) {
    mkdirSync(dirname(join(dist, page)), { recursive: true })
    writeFileSync(join(dist, `${page}.md`), text)
  }
}
