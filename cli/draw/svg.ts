// Pictures as text.

/** A part of a picture: what is drawn in a rectangle of its own, from its upper left corner on. */
export interface Part {
  readonly height: number
  readonly svg: string
}

/** The width of all parts. */
export const WIDTH = 960

const INK = '#1f2937'
export const FAINT = '#6b7280'
export const GRID = '#e5e7eb'
export const BLUE = '#2563eb'

/** What no document of XML can hold, not even as a number: most control characters, half of a character of two. */
const NO_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu

/** Text as it may stand in XML. */
export const escaped = (text: string) => text.replace(NO_XML, '\ufffd').replace(/[&<>"']/g, (it) => `&#${it.charCodeAt(0)};`)

/** A coordinate: tenths are enough. */
export const at = (value: number) => String(Math.round(value * 10) / 10)

export const textAt = (x: number, y: number, text: string, more = '') => `<text x="${at(x)}" y="${at(y)}"${more}>${escaped(text)}</text>`

/** Parts one below the other. */
export function document(parts: readonly Part[]): string {
  const height = parts.reduce((sum, part) => sum + part.height, 0)
  let top = 0
  const placed = parts.map((part) => {
    const group = `<g transform="translate(0 ${top})">\n${part.svg}\n</g>`
    top += part.height
    return group
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif" font-size="11" fill="${INK}">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    ...placed,
    '</svg>\n',
  ].join('\n')
}

/** A page that shows a picture, and nothing from elsewhere. */
export function page(title: string, svg: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>
body { margin: 0; display: grid; place-items: center; min-height: 100vh; background: #f3f4f6 }
svg { max-width: 100%; height: auto }
g.token:hover circle { stroke: #111827; stroke-width: 1.5 }
g.token:hover text { font-weight: bold }
</style>
${svg}</html>
`
}
