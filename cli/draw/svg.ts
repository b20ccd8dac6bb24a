// Pictures as SVG text.

/** A part of a picture: a rectangle that is drawn from its upper left corner. */
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

/** Characters that no XML document can contain, not even as a number: most control characters and lone surrogates. */
const NO_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu

/** Text escaped for XML. */
export const escaped = (text: string) =>
  text.replace(NO_XML, '\ufffd').replace(/[&<>"']/g, (it) => `&#${it.charCodeAt(0)};`)

/** A coordinate, rounded to tenths. */
export const at = (value: number) => String(Math.round(value * 10) / 10)

export const textAt = (x: number, y: number, text: string, more = '') =>
  `<text x="${at(x)}" y="${at(y)}"${more}>${escaped(text)}</text>`

/** Stacks parts one below the other. */
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

/** An HTML page that shows a picture, and loads nothing from elsewhere. */
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
