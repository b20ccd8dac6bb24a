// A package that users install themselves: it draws SVG as pixels.

import { WorkFailed } from '../terminal/failure.js'

/** Twice as many pixels as the picture has units, so that text is sharp. */
const SCALE = 2

/** The picture as PNG. @throws WorkFailed without the package. */
export async function rasterized(svg: string): Promise<Uint8Array> {
  let resvg: typeof import('@resvg/resvg-js')
  try {
    resvg = await import('@resvg/resvg-js')
  } catch (error) {
    throw new WorkFailed('PNG needs the package @resvg/resvg-js: npm install @resvg/resvg-js', { cause: error })
  }
  return new resvg.Resvg(svg, { fitTo: { mode: 'zoom', value: SCALE } }).render().asPng()
}
