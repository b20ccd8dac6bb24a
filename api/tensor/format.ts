// Tensors as text, in PyTorch's layout: four decimals, one common width, `...` in the middle of large ones.
//
// These words differ from PyTorch's: requiresGrad=true, dtype=int64, shape=[0, 3], true and false. The text shows the
// dtype of int64 tensors and not of int32 ones; PyTorch does the opposite. Here ids and batches are int32.
//
// Only the elements that are shown are read, however large the tensor is.

/** What this module needs to know of a tensor. */
export interface TensorView {
  /** The elements in row-major order; bools are 0 and 1. */
  data: ArrayLike<number | bigint>
  /** Reads one element, for types of which `data` holds only the bits (float16 and bfloat16). */
  at?: (offset: number) => number | bigint
  shape: readonly number[]
  dtype: string
  /**
   * Notes to print after the elements, in this order, such as `requiresGrad=true`. The dtype and the shape of an empty
   * tensor are added without being listed here.
   */
  suffixes?: readonly string[]
}

const DECIMALS = 4
/** Tensors with more elements than this are summarised. */
const THRESHOLD = 1000
/** Number of items that a summary shows at each end of a dimension. */
const EDGE = 3
const LINE_WIDTH = 80

const PREFIX = 'tensor('
const FLOATS: ReadonlySet<string> = new Set(['float16', 'bfloat16', 'float32', 'float64'])
/** Types that the printed elements reveal: `1.` or `1.5000`, `1`, `true`. */
const OBVIOUS: ReadonlySet<string> = new Set(['float32', 'int32', 'bool'])

/** The text of a tensor. */
export function formatTensor(view: TensorView): string {
  const { data, at = (offset: number) => data[offset], shape, dtype, suffixes = [] } = view
  const size = shape.reduce((product, length) => product * length, 1)
  const notes: string[] = []
  let text = '[]'
  if (size > 0) {
    const shown = new Shown(shape, size > THRESHOLD)
    const values = shown.offsets().map(at)
    text = layOut(shown, elementFormat(dtype, values), values)
    if (!OBVIOUS.has(dtype)) notes.push(`dtype=${dtype}`)
  } else {
    if (shape.length !== 1) notes.push(`shape=[${shape.join(', ')}]`)
    if (dtype !== 'float32') notes.push(`dtype=${dtype}`) // no element shows the type
  }
  return annotate(PREFIX + text, [...notes, ...suffixes])
}

// Which elements ---------------------------------------------------------------------------------------------------

/** The part of a tensor that is printed: all of it, or both ends of each long dimension. */
class Shown {
  constructor(
    readonly shape: readonly number[],
    private readonly summarised: boolean,
  ) {}

  isCut(dim: number): boolean {
    return this.summarised && this.shape[dim] > 2 * EDGE
  }

  /** The shown indices of a dimension, in order. */
  private indices(dim: number): number[] {
    const length = this.shape[dim]
    if (!this.isCut(dim)) return Array.from({ length }, (_, i) => i)
    return Array.from({ length: 2 * EDGE }, (_, i) => (i < EDGE ? i : length - 2 * EDGE + i))
  }

  /** Number of indices of a dimension that are shown. */
  count(dim: number): number {
    return this.isCut(dim) ? 2 * EDGE : this.shape[dim]
  }

  /** Row-major offsets of the shown elements, in order. */
  offsets(): number[] {
    let offsets = [0]
    this.shape.forEach((length, dim) => {
      const indices = this.indices(dim)
      offsets = offsets.flatMap((offset) => indices.map((index) => offset * length + index))
    })
    return offsets
  }
}

// One element ------------------------------------------------------------------------------------------------------

interface ElementFormat {
  width: number
  write(value: number | bigint): string
}

/** The format of all elements, chosen from those that are shown. */
function elementFormat(dtype: string, values: (number | bigint)[]): ElementFormat {
  if (FLOATS.has(dtype)) return floatFormat(values as number[])
  const write = dtype === 'bool' ? (value: number | bigint) => String(Boolean(value)) : String
  return { write, width: widest(values, write) }
}

function floatFormat(values: number[]): ElementFormat {
  // Zeros, infinities and NaN do not affect the format; they are written in the one that suits the others.
  const telling = values.filter((value) => value !== 0 && Number.isFinite(value))
  const magnitudes = telling.map(Math.abs)
  const max = magnitudes.reduce((a, b) => Math.max(a, b), 0)
  const min = magnitudes.reduce((a, b) => Math.min(a, b), Infinity)
  let write = writeWhole
  if (telling.length > 0 && (max / min > 1000 || max > 1e8 || min < 1e-4)) write = writeScientific
  else if (!telling.every(Number.isInteger)) write = writeFixed
  return { write, width: widest(telling, write) }
}

function widest<T>(values: T[], write: (value: T) => string): number {
  return values.reduce((width, value) => Math.max(width, write(value).length), 1)
}

/** `3.` */
function writeWhole(value: number): string {
  return Number.isFinite(value) ? `${signed(value, String)}.` : nonFinite(value)
}

/** `3.1416` */
function writeFixed(value: number): string {
  return signed(value, (magnitude) => halfEven((digits) => magnitude.toFixed(digits)))
}

/** `3.1416e+00` */
function writeScientific(value: number): string {
  const twoDigits = (_: string, sign: string, digit: string) => `${sign}0${digit}`
  return signed(value, (magnitude) =>
    halfEven((digits) => magnitude.toExponential(digits)).replace(/([+-])(\d)$/, twoDigits),
  )
}

/** Adds the sign. JavaScript drops the sign of -0 and PyTorch shows it; infinities and NaN are spelt differently. */
function signed(value: number, write: (magnitude: number) => string): string {
  if (!Number.isFinite(value)) return nonFinite(value)
  return value < 0 || Object.is(value, -0) ? `-${write(-value)}` : write(value)
}

function nonFinite(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  return value < 0 ? '-inf' : 'inf'
}

/**
 * A number with DECIMALS decimals; `write` gives it with any number of them. JavaScript and C both round by the exact
 * value. At an exact tie JavaScript rounds away from zero and C to even, so ties are corrected here.
 */
function halfEven(write: (digits: number) => string): string {
  const rounded = write(DECIMALS)
  // A double that is not exactly a tie differs from it within 40 digits.
  const [exact, exponent] = write(DECIMALS + 40).split('e')
  const end = exact.length - 40
  const isMiddle = /^50*$/.test(exact.slice(end))
  const isEven = Number(exact[end - 1]) % 2 === 0
  if (!isMiddle || !isEven) return rounded
  return exact.slice(0, end) + (exponent === undefined ? '' : `e${exponent}`)
}

// The whole tensor -------------------------------------------------------------------------------------------------

/** The shown values with brackets, commas and line breaks. */
function layOut(shown: Shown, format: ElementFormat, values: (number | bigint)[]): string {
  const dims = shown.shape.length
  let next = 0
  const element = () => format.write(values[next++]).padStart(format.width)

  /** The text of one block below the first `dim` dimensions; its bracket stands at column `indent`. */
  const block = (dim: number, indent: number): string => {
    if (dim === dims) return element()
    const isVector = dim === dims - 1
    const items = Array.from({ length: shown.count(dim) }, () => block(dim + 1, indent + 1))
    if (shown.isCut(dim)) items.splice(EDGE, 0, isVector ? ' ...' : '...')
    const newline = (count: number) => ',' + '\n'.repeat(count) + ' '.repeat(indent + 1)
    if (!isVector) return `[${items.join(newline(dims - 1 - dim))}]`
    const perLine = Math.max(1, Math.floor((LINE_WIDTH - indent) / (format.width + ', '.length)))
    const lines: string[] = []
    for (let at = 0; at < items.length; at += perLine) lines.push(items.slice(at, at + perLine).join(', '))
    return `[${lines.join(newline(1))}]`
  }
  return block(0, PREFIX.length)
}

/** Adds the notes and the closing bracket; a note that would make the line too long starts a new line. */
function annotate(text: string, notes: string[]): string {
  // PyTorch counts two more than the columns used: the closing bracket and one to spare.
  let used = text.length - text.lastIndexOf('\n') + 1
  for (const note of notes) {
    const fits = used + ', '.length + note.length <= LINE_WIDTH
    text += fits ? `, ${note}` : `,\n${' '.repeat(PREFIX.length)}${note}`
    used = fits ? used + ', '.length + note.length : PREFIX.length + note.length
  }
  return `${text})`
}
