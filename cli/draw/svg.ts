// Pictures as SVG text.

/** A part of a picture: a rectangle that is drawn from its upper left corner. */
export interface Part {
  readonly height: number
  readonly svg: string
}

/** The width of all parts. */
export const WIDTH = 960

/** The colours of a picture. */
export interface Palette {
  readonly isDark: boolean
  readonly ground: string
  readonly ink: string
  readonly faint: string
  readonly grid: string
  readonly blue: string
}

export const LIGHT: Palette = {
  isDark: false,
  ground: '#ffffff',
  ink: '#1f2937',
  faint: '#6b7280',
  grid: '#e5e7eb',
  blue: '#2563eb',
}

export const DARK: Palette = {
  isDark: true,
  ground: '#10141b',
  ink: '#e6eaf0',
  faint: '#98a3b3',
  grid: '#2b3441',
  blue: '#6ea8ff',
}

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
export function document(parts: readonly Part[], { ground, ink }: Palette = LIGHT): string {
  const height = parts.reduce((sum, part) => sum + part.height, 0)
  let top = 0
  const placed = parts.map((part) => {
    const group = `<g transform="translate(0 ${top})">\n${part.svg}\n</g>`
    top += part.height
    return group
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif" font-size="11" fill="${ink}">`,
    `<rect width="${WIDTH}" height="${height}" fill="${ground}"/>`,
    ...placed,
    '</svg>\n',
  ].join('\n')
}

/**
 * An HTML page that shows a picture, and loads nothing from elsewhere. Of two pictures the first is for light rooms,
 * the other for dark ones.
 */
export function page(title: string, [svg, other]: readonly string[], { isDark }: Palette = LIGHT): string {
  const [ground, dark] = ['#f3f4f6', '#0b0e13']
  const both = `.dark { display: none }
@media (prefers-color-scheme: dark) { body { background: ${dark} } .light { display: none } .dark { display: block } }
`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>
body { margin: 0; display: grid; place-items: center; min-height: 100vh; background: ${isDark ? dark : ground} }
svg { max-width: 100%; height: auto }
g.token:hover circle { stroke: currentColor; stroke-width: 1.5 }
g.token:hover text { font-weight: bold }
${other === undefined ? '' : both}</style>
${other === undefined ? svg : `<div class="light">${svg}</div><div class="dark">${other}</div>`}</html>
`
}
