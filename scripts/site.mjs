// Builds the site of docs/ into docs/site/dist, and checks its links: npm run site
//
// It installs what it needs in docs/site, and nothing else is fetched. Its pages are those of docs/, the reference from
// the docstrings, the help of the commands, and the records of the benchmarks. Any server of files can show it; it
// searches without a network. SITE_BASE=/folder/ builds it for a folder of a server, and `npm run site -- --serve`
// shows it on this machine.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { Failure, root, run, runIfMain } from './process.mjs'
import { brokenLinks } from './site/links.mjs'
import { writeForPrograms, writeNavigation, writePages } from './site/pages.mjs'
import { writeReference } from './site/reference.mjs'

const site = join(root, 'docs/site')
const pages = join(site, 'pages')
const dist = join(site, 'dist')

function vitepress(...args) {
  run([process.execPath, join(site, 'node_modules/vitepress/bin/vitepress.js'), ...args])
}

/** Whether the site's own packages are installed in the versions that docs/site/package.json names. */
function isInstalled() {
  const { devDependencies } = JSON.parse(readFileSync(join(site, 'package.json'), 'utf8'))
  return Object.entries(devDependencies).every(([name, version]) => {
    const path = join(site, 'node_modules', name, 'package.json')
    return existsSync(path) && JSON.parse(readFileSync(path, 'utf8')).version === version
  })
}

export async function buildSite(args = process.argv.slice(2)) {
  if (args.some((one) => !['--serve', '--pages'].includes(one)))
    throw new Failure('usage: npm run site [-- --serve | -- --pages]')
  if (!isInstalled()) run(['npm', 'ci', '--prefix', site, '--loglevel', 'error'])
  rmSync(pages, { recursive: true, force: true })
  mkdirSync(pages)
  writePages(pages)
  writeReference(pages)
  writeNavigation(pages)
  // With --pages the Markdown is enough.
  if (args.includes('--pages')) return
  vitepress('build', site)
  writeForPrograms(pages, dist)
  const broken = brokenLinks(dist, process.env.SITE_BASE)
  if (broken.length > 0) throw new Failure(`links that lead nowhere:\n  ${broken.join('\n  ')}`)
  const made = readdirSync(dist, { recursive: true }).filter((path) => path.endsWith('.html')).length
  console.log(`${relative(root, dist)}: ${made} pages, all links lead somewhere`)
  if (args.includes('--serve')) vitepress('preview', site)
}

await runIfMain(import.meta, buildSite)
