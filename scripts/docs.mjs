// Builds the API reference from the docstrings, into docs/reference/, and checks links: npm run docs
//
// A broken link in a docstring or a type that is missing from the reference fails, and so does a link of the
// project's pages to a missing file or heading. Links to other sites are not followed.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { Failure, root, run, runIfMain, tool } from './process.mjs'
import { projectFiles } from './rules/files.mjs'
import { slug } from './site/slug.mjs'

const out = join(root, 'docs/reference')

function reference() {
  const options = [
    '--entryPoints',
    'index.ts',
    '--entryPoints',
    'arrow.ts',
    '--out',
    out,
    '--name',
    'tokenbed',
    '--readme',
    'none',
    '--excludeInternal',
    '--excludePrivate',
    '--disableSources',
    '--includeHierarchySummary',
    'false',
    '--githubPages',
    'false',
    '--treatWarningsAsErrors',
    '--treatValidationWarningsAsErrors',
  ]
  // typedoc compiles everything that these reach, with the types that the build wrote.
  run([...tool('typedoc', 'typedoc'), ...options, '--logLevel', 'Warn'])
}

/** Broken links in the reference. */
function brokenInReference() {
  const pages = readdirSync(out, { recursive: true }).filter((path) => path.endsWith('.html'))
  const anchors = new Map(
    pages.map((path) => [
      join(out, path),
      new Set([...readFileSync(join(out, path), 'utf8').matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)),
    ]),
  )
  return pages.flatMap((page) =>
    [...readFileSync(join(out, page), 'utf8').matchAll(/ href="([^"]+)"/g)]
      .map(([, href]) => href)
      .filter((href) => !/^[a-z]+:/.test(href) && !leads(join(out, page), href, (path) => anchors.get(path)))
      .map((href) => `docs/reference/${page}: ${href}`),
  )
}

/** Broken links in the project's own pages. */
function brokenInPages() {
  const pages = projectFiles().filter((path) => path.endsWith('.md') && !path.startsWith('testdata/'))
  return pages.flatMap((page) =>
    linksOf(readFileSync(join(root, page), 'utf8'))
      .filter((href) => !/^[a-z]+:/.test(href) && !leads(join(root, page), href, headings))
      .map((href) => `${page}: ${href}`),
  )
}

function linksOf(text) {
  const prose = text.replace(/^```[^]*?^```/gm, '').replace(/`[^`\n]*`/g, '')
  return [...prose.matchAll(/\]\(([^)\s]+)[^)]*\)/g)].map(([, href]) => href)
}

/** The anchors of the headings of a Markdown page, as they appear on the web. */
function headings(path) {
  if (!path.endsWith('.md')) return undefined
  const titles = [...readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, title]) => title)
  return new Set(titles.map(slug))
}

function leads(from, href, anchorsOf) {
  const [path, anchor] = href.split('#')
  const target = path === '' ? from : join(dirname(from), decodeURIComponent(path))
  if (!existsSync(target)) return false
  if (anchor === undefined || anchor === '' || statSync(target).isDirectory()) return true
  return anchorsOf(target)?.has(decodeURIComponent(anchor)) ?? true
}

export function checkDocs() {
  reference()
  const broken = [...brokenInReference(), ...brokenInPages()]
  if (broken.length > 0) throw new Failure(`links that lead nowhere:\n  ${broken.join('\n  ')}`)
  const pages = readdirSync(out, { recursive: true }).filter((path) => path.endsWith('.html')).length
  console.log(`${relative(root, out)}: ${pages} pages, all links lead somewhere`)
}

await runIfMain(import.meta, checkDocs)
