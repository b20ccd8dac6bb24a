// Shows tokens side by side in colours, wrapped to the terminal.

import { WriteStream } from 'node:tty'
import { stringWidth } from '../bundled/terminal.js'
import type { Piece } from './pieces.js'

/** Number of bits of colour that stdout has; 1 means none. NO_COLOR, FORCE_COLOR and TERM=dumb are respected. */
export function colorDepth(): number {
  const { FORCE_COLOR, NO_COLOR } = process.env
  const isForced = FORCE_COLOR !== undefined && FORCE_COLOR !== '0' && FORCE_COLOR !== 'false'
  if (!isForced && (!process.stdout.isTTY || (NO_COLOR !== undefined && NO_COLOR !== ''))) return 1
  return WriteStream.prototype.getColorDepth(process.env)
}

/** Both the text and the background colour are set, so that they fit in light and dark terminals. */
const RICH = { tokens: ['38;5;16;48;5;153', '38;5;16;48;5;223'], special: '1;38;5;231;48;5;90' }
const PLAIN = { tokens: ['30;46', '30;43'], special: '1;37;45' }

/**
 * Paints pieces one after the other. It breaks lines itself, because a terminal would carry the background colour
 * over.
 */
export class Painter {
  readonly #styles: typeof RICH
  readonly #columns: number
  #column = 0
  #count = 0

  constructor(depth: number, columns: number) {
    this.#styles = depth >= 8 ? RICH : PLAIN
    this.#columns = Math.max(1, columns)
  }

  /** Whether a line has just begun. */
  get atStart(): boolean {
    return this.#column === 0
  }

  /** Paints a piece. Its line breaks break the line. */
  piece({ visible, isSpecial }: Piece): string {
    const style = this.#next(isSpecial)
    const lines = visible.split(/(?<=↵)/)
    return lines
      .map((line) => this.#styled(line, style) + (line.endsWith('↵') && !isSpecial ? this.#newline() : ''))
      .join('')
  }

  /** Paints the id of a piece, in the piece's colour. */
  id({ id, isSpecial }: Piece): string {
    const text = String(id)
    const gap = this.#column === 0 ? '' : this.#column + 1 + text.length > this.#columns ? this.#newline() : ' '
    this.#column += gap === ' ' ? 1 : 0
    return gap + this.#styled(text, this.#next(isSpecial))
  }

  #next(isSpecial: boolean): string {
    const style = this.#styles.tokens[this.#count++ % 2]
    return isSpecial ? this.#styles.special : style
  }

  #styled(text: string, style: string): string {
    const paint = (text: string) => (text === '' ? '' : `\x1b[${style}m${text}\x1b[0m`)
    let [out, run] = ['', '']
    const width = stringWidth(text)
    // A piece that fits on one line is not broken.
    if (this.#column > 0 && this.#column + width > this.#columns) out += this.#newline()
    if (this.#column + width <= this.#columns) {
      this.#column += width
      return out + paint(text)
    }
    for (const character of text) {
      const its = stringWidth(character)
      if (this.#column + its > this.#columns && this.#column > 0) {
        out += paint(run) + this.#newline()
        run = ''
      }
      run += character
      this.#column += its
    }
    return out + paint(run)
  }

  #newline(): string {
    this.#column = 0
    return '\n'
  }
}
