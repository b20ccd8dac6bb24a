// Whether every link of a folder of HTML leads to a file and an anchor that are there. Links to other sites are not
// followed.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The links that lead nowhere, as `PAGE: LINK`. Links from the root begin with `base`. */
export function brokenLinks(folder, base = '/') {
  const pages = readdirSync(folder, { recursive: true }).filter((path) => path.endsWith('.html'))
  const texts = new Map(pages.map((page) => [join(folder, page), readFileSync(join(folder, page), 'utf8')]))
  const anchors = new Map(
    [...texts].map(([page, text]) => [page, new Set([...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))]),
  )
  const leads = (page, link) => {
    const [path, anchor] = link.replaceAll('&amp;', '&').split('#')
    let target = page
    if (path.startsWith(base)) target = join(folder, decodeURIComponent(path.slice(base.length)))
    else if (path !== '') target = join(dirname(page), decodeURIComponent(path))
    if (existsSync(target) && statSync(target).isDirectory()) target = join(target, 'index.html')
    if (!existsSync(target)) return false
    return !anchor || (anchors.get(target)?.has(decodeURIComponent(anchor)) ?? true)
  }
  return pages.flatMap((page) =>
    [...texts.get(join(folder, page)).matchAll(/<(?:a|img|link|script)\b[^>]*? (?:href|src)="([^"]+)"/g)]
      .map(([, link]) => link)
      .filter((link) => !/^([a-z]+:|\/\/)/.test(link) && !leads(join(folder, page), link))
      .map((link) => `${page}: ${link}`),
  )
}
