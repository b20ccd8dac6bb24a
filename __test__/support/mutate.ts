// Changes files at random according to a seed. The same seed gives the same changes.

/** Integers below a bound, one after the other (xorshift). */
export function drawsOf(seed: number): (below: number) => number {
  let state = (seed * 2654435761) >>> 0 || 1
  return (below) => {
    state ^= state << 13
    state = (state ^ (state >>> 17)) >>> 0
    state = (state ^ (state << 5)) >>> 0
    return state % below
  }
}

/** Values that our files never contain. */
const STRANGE: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 31,
  2 ** 53,
  -0,
  1e308,
  '',
  '__proto__',
  'constructor',
  '../../etc/passwd',
  '/dev/zero',
  'a\0b',
  '\ud800',
  [],
  {},
  [null],
  { length: 2 ** 32 },
  'x'.repeat(10_000),
  Array(1000).fill(0),
]

/** Changes a JSON value: a member is replaced, removed, duplicated, moved or renamed. */
function change(value: unknown, draw: (below: number) => number): unknown {
  if (typeof value !== 'object' || value === null || draw(6) === 0) return STRANGE[draw(STRANGE.length)]
  const keys = Object.keys(value)
  if (keys.length === 0) return STRANGE[draw(STRANGE.length)]
  const key = keys[draw(keys.length)]
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>
  switch (draw(5)) {
    case 0:
      delete copy[key]
      break
    case 1:
      Object.defineProperty(copy, ['__proto__', 'toString', `${key}x`, ''][draw(4)], {
        value: copy[key],
        enumerable: true,
        configurable: true,
        writable: true,
      })
      break
    case 2:
      copy[key] = copy[keys[draw(keys.length)]]
      break
    default:
      copy[key] = change(copy[key], draw)
  }
  return copy
}

/** Changes a JSON text in its values or in its bytes. */
export function mutatedJson(text: string, draw: (below: number) => number): string {
  let [changed, times] = [text, 1 + draw(3)]
  if (draw(3) > 0) {
    let value: unknown = JSON.parse(text)
    while (times-- > 0) value = change(value, draw)
    // Values that JSON cannot express are left out.
    return JSON.stringify(value) ?? 'null'
  }
  while (times-- > 0) {
    const [from, to] = [draw(changed.length + 1), draw(changed.length + 1)]
    const middle = [
      '',
      '\ud800',
      '\0',
      '9'.repeat(400),
      '['.repeat(5000),
      changed.slice(from, to),
      String.fromCharCode(draw(256)),
    ][draw(7)]
    changed = changed.slice(0, from) + middle + changed.slice(draw(2) === 0 ? from : Math.max(from, to))
  }
  return changed
}
