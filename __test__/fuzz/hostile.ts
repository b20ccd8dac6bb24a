// Values that no caller should pass, some of which change the world while they are read.

import { createContext, runInContext } from 'node:vm'
import * as tokenbed from '../../index.js'

/** The error that a hostile value's own code throws. It must come out of a call unchanged. */
export class UserError extends Error {}

/** Something that a value does while it is read. */
type Mischief = () => void

export interface Hostile {
  readonly name: string
  make(mischief: Mischief): unknown
}

const fail = (): never => {
  throw new UserError('thrown by the code of a value')
}

const foreign = createContext({})
const other = (source: string) => ({
  name: `foreign ${source}`,
  make: () => runInContext(`(${source})`, foreign) as unknown,
})

function detached<T extends { buffer: ArrayBufferLike }>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] })
  return array
}

interface Resizable {
  resize(bytes: number): void
}
const Growing = ArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => ArrayBuffer & Resizable

function shrunk(): Int32Array {
  const buffer = new Growing(64, { maxByteLength: 64 })
  const array = new Int32Array(buffer, 32, 4)
  buffer.resize(16)
  return array
}

function sparse(length: number, ...first: unknown[]): unknown[] {
  const list = [...first]
  list.length = length
  return list
}

function revoked(target: object): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

const nested: unknown[] = []
nested.push(nested)

/** An array whose first element is read through a getter. */
function reading(elements: unknown[], before: () => void): unknown[] {
  const [first] = elements
  Object.defineProperty(elements, 0, {
    get: () => {
      before()
      return first
    },
    enumerable: true,
    configurable: true,
  })
  return elements
}

const TRAPS = ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor'] as const

const plain = (name: string, make: (mischief: Mischief) => unknown): Hostile => ({ name, make })

const primitives: readonly (readonly [string, unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['true', true],
  ['false', false],
  ['0', 0],
  ['-0', -0],
  ['1', 1],
  ['-1', -1],
  ['0.5', 0.5],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['2^31 - 1', 2 ** 31 - 1],
  ['2^31', 2 ** 31],
  ['-2^31', -(2 ** 31)],
  ['2^32 - 1', 2 ** 32 - 1],
  ['2^32', 2 ** 32],
  ['2^40', 2 ** 40],
  ['2^53 - 1', 2 ** 53 - 1],
  ['2^53', 2 ** 53],
  ['-2^53', -(2 ** 53)],
  ['1e308', 1e308],
  ['5e-324', 5e-324],
  ['empty text', ''],
  ['"a"', 'a'],
  ['"1"', '1'],
  ['lone surrogate', '\ud800'],
  ['lone surrogate within', 'a\udc00b'],
  ['NUL', 'a\0b'],
  ['long text', 'x'.repeat(70_000)],
  ['"length"', 'length'],
  ['"__proto__"', '__proto__'],
  ['"constructor"', 'constructor'],
  ['Symbol()', Symbol('s')],
  ['Symbol.iterator', Symbol.iterator],
  ['0n', 0n],
  ['1n', 1n],
  ['-1n', -1n],
  ['2n ** 64n', 2n ** 64n],
  ['-(2n ** 63n) - 1n', -(2n ** 63n) - 1n],
]

const objects: readonly Hostile[] = [
  plain('{}', () => ({})),
  plain('[]', () => []),
  plain('[undefined]', () => [undefined]),
  plain('[[]]', () => [[]]),
  plain('[1, [2]]', () => [1, [2]]),
  plain('[NaN]', () => [NaN]),
  plain('[-1]', () => [-1]),
  plain('[2^53]', () => [2 ** 53]),
  plain('[1n]', () => [1n]),
  plain('[Symbol()]', () => [Symbol('s')]),
  plain('[null-prototype object]', () => [Object.create(null)]),
  plain('["a"]', () => ['a']),
  plain('array in itself', () => nested),
  plain('hole', () => sparse(3, 1)),
  plain('sparse', () => sparse(2 ** 32 - 1)),
  plain('sparse, first 0', () => sparse(2 ** 32 - 1, 0)),
  plain('sparse, first text', () => sparse(2 ** 32 - 1, 'a')),
  plain('array-like of 2^31', () => ({ length: 2 ** 31, 0: 1 })),
  plain('array-like of 2^53 - 1', () => ({ length: 2 ** 53 - 1, 0: 1 })),
  plain('array-like of -1', () => ({ length: -1 })),
  plain('array-like of NaN', () => ({ length: NaN })),
  plain('array-like of text', () => ({ length: '3' })),
  plain('array-like of Symbol', () => ({ length: Symbol('s') })),
  plain('null-prototype object', () => Object.create(null) as object),
  plain('frozen object', () => Object.freeze({})),
  plain('{ __proto__: Array.prototype }', () => Object.create(Array.prototype) as object),
  plain('function', () => () => undefined),
  plain('class', () => class Some {}),
  plain('async function', () => async () => undefined),
  plain('throwing function', () => fail),
  plain('Promise', () => Promise.resolve(1)),
  plain('thenable', () => ({ then: () => undefined })),
  plain('Date', () => new Date(0)),
  plain('invalid Date', () => new Date(NaN)),
  plain('RegExp', () => /a/),
  plain(
    'Map',
    () =>
      new Map<unknown, unknown>([
        ['a', 1],
        [Symbol('s'), 2],
      ]),
  ),
  plain('Set', () => new Set<unknown>([1, Symbol('s')])),
  plain('WeakMap', () => new WeakMap()),
  plain('Error', () => new Error('an error')),
  plain('Number object', () => Object(1)),
  plain('String object', () => Object('a')),
  plain('AbortSignal, aborted', () => AbortSignal.abort(new UserError('aborted'))),
  plain('ArrayBuffer', () => new ArrayBuffer(8)),
  plain('SharedArrayBuffer', () => new SharedArrayBuffer(8)),
  plain('DataView', () => new DataView(new ArrayBuffer(8))),
  plain('Buffer', () => Buffer.from([1, 2])),
  plain('empty Int32Array', () => new Int32Array(0)),
  plain('Float32Array of NaN', () => Float32Array.of(NaN, Infinity, -0)),
  plain('Float64Array', () => Float64Array.of(1, 2)),
  plain('Uint8ClampedArray', () => Uint8ClampedArray.of(1, 2)),
  plain('Uint16Array', () => Uint16Array.of(1, 65535)),
  plain('BigInt64Array', () => BigInt64Array.of(1n, -(2n ** 63n))),
  plain('BigUint64Array', () => BigUint64Array.of(2n ** 64n - 1n)),
  plain('Int32Array of extremes', () => Int32Array.of(-(2 ** 31), 2 ** 31 - 1)),
  plain('Uint32Array of extremes', () => Uint32Array.of(2 ** 32 - 1)),
  plain('detached Float32Array', () => detached(new Float32Array(4))),
  plain('detached Int32Array', () => detached(new Int32Array(4))),
  plain('detached Uint8Array', () => detached(new Uint8Array(4))),
  plain('detached DataView', () => detached(new DataView(new ArrayBuffer(8)))),
  plain('detached ArrayBuffer', () => detached({ buffer: new ArrayBuffer(8) }).buffer),
  plain('shrunk Int32Array', shrunk),
  plain('[detached]', () => [detached(new Int32Array(4))]),
  plain('shared Int32Array', () => new Int32Array(new SharedArrayBuffer(16))),
  plain('array with an own iterator', () => Object.assign([1, 2], { [Symbol.iterator]: fail })),
  plain('iterable that throws', () => ({ [Symbol.iterator]: fail })),
  plain('iterator of no object', () => ({ [Symbol.iterator]: () => ({ next: () => ({ done: true }) }) })),
  plain('proxy of {}', () => new Proxy({}, {})),
  plain('proxy of []', () => new Proxy([1, 2], {})),
  plain('proxy of a tensor', () => new Proxy(tokenbed.zeros([2, 2]), {})),
  plain('revoked proxy of {}', () => revoked({})),
  plain('revoked proxy of []', () => revoked([])),
  plain('revoked proxy of a function', () => revoked(() => undefined)),
  plain('[revoked proxy]', () => [revoked({})]),
  plain('disposed tensor', () => {
    const gone = tokenbed.zeros([2, 2])
    gone.dispose()
    return gone
  }),
  plain('[disposed tensor]', () => {
    const gone = tokenbed.zeros([2, 2])
    gone.dispose()
    return [gone]
  }),
  plain('tensor of no elements', () => tokenbed.zeros([0, 3])),
  plain('scalar', () => tokenbed.tensor(1)),
  plain('int64 tensor', () => tokenbed.tensor([1, 2], { dtype: 'int64' })),
  plain('bool tensor', () => tokenbed.tensor([1, 0], { dtype: 'bool' })),
  plain('float16 tensor', () => tokenbed.tensor([1, 2], { dtype: 'float16' })),
  plain('subclass of Embedding', () => new (class Own extends tokenbed.Embedding {})(4, 4)),
  plain('valueOf throws', () => ({ valueOf: fail })),
  plain('toString throws', () => ({ toString: fail, [Symbol.toPrimitive]: fail })),
  plain('toString gives an object', () => ({ toString: () => ({}), valueOf: () => ({}) })),
  plain('inspect throws', () => ({ [Symbol.for('nodejs.util.inspect.custom')]: fail })),
  plain('toStringTag throws', () => Object.defineProperty({}, Symbol.toStringTag, { get: fail })),
  plain('constructor throws', () => Object.defineProperty({}, 'constructor', { get: fail })),
  plain('length throws', () => Object.defineProperty({}, 'length', { get: fail })),
  plain('[element throws]', () => reading([1, 2], fail)),
  plain('[element does mischief]', (mischief) => reading([1, 2], mischief)),
  plain('[tensor read with mischief]', (mischief) =>
    reading([tokenbed.zeros([2, 2], { requiresGrad: true })], mischief),
  ),
  plain('valueOf does mischief', (mischief) => ({
    valueOf: () => {
      mischief()
      return 1
    },
  })),
  plain(
    'proxy that answers 1',
    (mischief) =>
      new Proxy(
        {},
        {
          get: (_, key) => {
            mischief()
            return key === Symbol.toPrimitive || key === 'then' ? undefined : 1
          },
        },
      ),
  ),
  ...TRAPS.map((trap) => plain(`proxy whose ${trap} throws`, () => new Proxy({}, { [trap]: fail }))),
  ...TRAPS.map((trap) => plain(`array proxy whose ${trap} throws`, () => new Proxy([1, 2], { [trap]: fail }))),
  ...Object.entries(tokenbed)
    .filter(([, one]) => typeof one === 'function' && 'prototype' in one && one.prototype !== undefined)
    .map(([name, one]) =>
      plain(
        `Object.create(${name}.prototype)`,
        () => Object.create((one as { prototype: object }).prototype) as unknown,
      ),
    ),
  other('[1, 2]'),
  other('{}'),
  other('new Int32Array([1, 2])'),
  other('new Float32Array(4)'),
  other('() => 1'),
  other('new Map([["a", 1]])'),
  other('new Set(["a"])'),
  other('new ArrayBuffer(8)'),
  other('Object.create(null)'),
  other('Symbol("s")'),
  other('new Error("e")'),
]

/** Sizes of gigabytes, used only if the memory of the process is limited, as they would really be allocated. */
const GIGABYTES = ['-2^31', '2^31 - 1', '2^31', '2^32 - 1', '2^32']
const without = [
  ...(process.env.TOKENBED_FUZZ_WITHOUT ?? '').split(','),
  ...(process.env.TOKENBED_FUZZ_LIMITED === '1' ? [] : GIGABYTES),
]

/**
 * All hostile values except those named, separated by commas, in `TOKENBED_FUZZ_WITHOUT`, which hides a known fault
 * until it is mended.
 */
export const HOSTILE: readonly Hostile[] = [
  ...primitives.map(([name, value]) => plain(name, () => value)),
  ...objects,
].filter(({ name }) => !without.includes(name))
