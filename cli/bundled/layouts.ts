// Places rows in a plane such that neighbours stay together: UMAP, and t-SNE after Barnes and Hut. It is also the
// program of the thread in which that is done.
//
// Both begin with the nearest rows of each row, which are found natively before, and with the rows' principal
// components, and all draws come from one seed: the same rows have the same places again.

import { isMainThread, parentPort, workerData } from 'node:worker_threads'

/** The nearest rows of each of `rows` rows, without itself, the nearest first. */
export interface Graph {
  readonly rows: number
  /** How many neighbours each row has. */
  readonly k: number
  /** (rows, k): the neighbours. */
  readonly ids: Int32Array
  /** (rows, k): how far they are: 1 minus the cosine. */
  readonly distances: Float32Array
}

export interface LayoutRequest {
  readonly kind: 'umap' | 'tsne'
  readonly graph: Graph
  /** (rows, 2): where the rows begin. */
  readonly start: Float32Array
  readonly seed: number
}

/** Is told how much of the work is done, from 0 to 1. */
type Report = (done: number) => void

/** Places the rows: (rows, 2). */
export function layout({ kind, graph, start, seed }: LayoutRequest, report: Report = () => {}): Float32Array {
  return kind === 'umap' ? umap(graph, start, seed, report) : tsne(graph, start, seed, report)
}

/** Numbers from 0 to below 1: 32 bits of state, mixed as in SplitMix. */
function drawsOf(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

/** The start, around its mean, with `size` as its largest coordinate, and a little noise that parts equal places. */
function scaled(start: Float32Array, size: number, draw: () => number): Float32Array {
  const mean = [0, 0]
  for (let i = 0; i < start.length; i++) mean[i & 1] += start[i] / (start.length / 2)
  let largest = 0
  for (let i = 0; i < start.length; i++) largest = Math.max(largest, Math.abs(start[i] - mean[i & 1]))
  const factor = largest > 0 ? size / largest : 0
  return start.map((value, i) => (value - mean[i & 1]) * factor + (draw() - 0.5) * size * 1e-3)
}

// UMAP: McInnes, Healy, Melville (2018), with the parameters that umap-learn has by default.

/** The curve 1 / (1 + a d^2b) that is nearest to what min_dist 0.1 and spread 1 ask for. */
const [A, B] = [1.5769434603113077, 0.8950608779109733]
const [NEGATIVES, RATE, CLIP] = [5, 1, 4]

/** Edges of the fuzzy union, each once in each direction that either end knows. */
interface Edges {
  readonly from: Int32Array
  readonly to: Int32Array
  readonly weights: Float32Array
}

/** The width of each row's kernel, by bisection: its memberships sum to log2 k. */
function memberships({ rows, k, ids, distances }: Graph): Float32Array {
  const out = new Float32Array(rows * k)
  const target = Math.log2(Math.max(2, k))
  for (let row = 0; row < rows; row++) {
    const first = row * k
    let [nearest, sum] = [Infinity, 0]
    for (let i = first; i < first + k; i++) {
      if (distances[i] > 0) nearest = Math.min(nearest, distances[i])
      sum += distances[i]
    }
    if (nearest === Infinity) nearest = 0
    let [low, high, width] = [0, Infinity, 1]
    for (let round = 0; round < 64; round++) {
      let reached = 0
      for (let i = first; i < first + k; i++) reached += Math.exp(-Math.max(0, distances[i] - nearest) / width)
      if (Math.abs(reached - target) < 1e-5) break
      if (reached > target) high = width
      else low = width
      width = high === Infinity ? width * 2 : (low + high) / 2
    }
    width = Math.max(width, (1e-3 * sum) / k)
    for (let i = first; i < first + k; i++)
      out[i] = ids[i] === row ? 0 : width > 0 ? Math.exp(-Math.max(0, distances[i] - nearest) / width) : 1
  }
  return out
}

/** Joins the memberships of both ends by `join`; edges that only one end knows count for both. */
function union(graph: Graph, weights: Float32Array, join: (one: number, other: number) => number): Edges {
  const { rows, k, ids } = graph
  const most = rows * k * 2
  const [from, to, joined] = [new Int32Array(most), new Int32Array(most), new Float32Array(most)]
  let count = 0
  const push = (a: number, b: number, weight: number) => {
    from[count] = a
    to[count] = b
    joined[count++] = weight
  }
  for (let row = 0; row < rows; row++) {
    for (let i = row * k; i < (row + 1) * k; i++) {
      const other = ids[i]
      if (other === row) continue
      let back = -1
      for (let j = other * k; j < (other + 1) * k; j++) if (ids[j] === row) back = j
      const weight = join(weights[i], back < 0 ? 0 : weights[back])
      if (weight <= 0) continue
      push(row, other, weight)
      if (back < 0) push(other, row, weight)
    }
  }
  return { from: from.subarray(0, count), to: to.subarray(0, count), weights: joined.subarray(0, count) }
}

function umap(graph: Graph, start: Float32Array, seed: number, report: Report): Float32Array {
  const { rows } = graph
  const draw = drawsOf(seed)
  const places = scaled(start, 10, draw)
  const { from, to, weights } = union(graph, memberships(graph), (a, b) => a + b - a * b)
  const epochs = rows <= 4_000 ? 500 : 200
  let most = 0
  for (const weight of weights) if (weight > most) most = weight
  /** Epochs from one use of an edge to the next: strong edges are used in each. */
  const every = weights.map((weight) => (weight < most / epochs ? Infinity : most / weight))
  const next = every.slice()
  const nextNegative = every.map((each) => each / NEGATIVES)
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const rate = RATE * (1 - (epoch - 1) / epochs)
    for (let edge = 0; edge < from.length; edge++) {
      if (next[edge] > epoch) continue
      const a = from[edge] * 2
      attract(places, a, to[edge] * 2, rate)
      next[edge] += every[edge]
      const each = every[edge] / NEGATIVES
      const negatives = Math.floor((epoch - nextNegative[edge]) / each)
      for (let i = 0; i < negatives; i++) {
        const other = Math.floor(draw() * rows) * 2
        if (other !== a) repel(places, a, other, rate)
      }
      if (negatives > 0) nextNegative[edge] += negatives * each
    }
    report(epoch / epochs)
  }
  return places
}

const clipped = (value: number) => (value > CLIP ? CLIP : value < -CLIP ? -CLIP : value)

// Nearly all the time is spent in these two, so they make no arrays.

function attract(places: Float32Array, a: number, b: number, rate: number): void {
  const dx = places[a] - places[b]
  const dy = places[a + 1] - places[b + 1]
  const square = dx * dx + dy * dy
  if (square === 0) return
  const power = Math.pow(square, B)
  const force = (-2 * A * B * power) / (square * (A * power + 1))
  const x = clipped(force * dx) * rate
  const y = clipped(force * dy) * rate
  places[a] += x
  places[a + 1] += y
  places[b] -= x
  places[b + 1] -= y
}

function repel(places: Float32Array, a: number, b: number, rate: number): void {
  const dx = places[a] - places[b]
  const dy = places[a + 1] - places[b + 1]
  const square = dx * dx + dy * dy
  if (square === 0) {
    places[a] += CLIP * rate
    places[a + 1] += CLIP * rate
    return
  }
  const force = (2 * B) / ((0.001 + square) * (A * Math.pow(square, B) + 1))
  places[a] += clipped(force * dx) * rate
  places[a + 1] += clipped(force * dy) * rate
}

// t-SNE: van der Maaten (2014), with the settings that scikit-learn has by default; forces from afar are summed by a
// tree of squares.

const [THETA, EXAGGERATION, EARLY, ROUNDS] = [0.5, 12, 250, 750]

/** The kernel of each row, whose entropy is that of a third of its neighbours. */
function affinities({ rows, k, distances }: Graph): Float32Array {
  const out = new Float32Array(rows * k)
  const target = Math.log(Math.max(1.5, k / 3))
  for (let row = 0; row < rows; row++) {
    const first = row * k
    // The squared distance of two vectors of length 1 is twice this.
    const least = distances[first]
    let [low, high, sharpness] = [0, Infinity, 1]
    let sum = 0
    for (let round = 0; round < 64; round++) {
      let weighted = 0
      sum = 0
      for (let i = first; i < first + k; i++) {
        const far = 2 * (distances[i] - least)
        out[i] = Math.exp(-far * sharpness)
        sum += out[i]
        weighted += far * out[i]
      }
      const entropy = Math.log(sum) + (sharpness * weighted) / sum
      if (Math.abs(entropy - target) < 1e-5) break
      if (entropy > target) low = sharpness
      else high = sharpness
      sharpness = high === Infinity ? sharpness * 2 : (low + high) / 2
    }
    for (let i = first; i < first + k; i++) out[i] /= sum
  }
  return out
}

function tsne(graph: Graph, start: Float32Array, seed: number, report: Report): Float32Array {
  const { rows } = graph
  const places = scaled(start, 1e-2, drawsOf(seed))
  const { from, to, weights } = union(graph, affinities(graph), (a, b) => (a + b) / (2 * rows))
  const [forces, moves] = [new Float32Array(rows * 2), new Float32Array(rows * 2)]
  const gains = new Float32Array(rows * 2).fill(1)
  const rate = Math.max(rows / EXAGGERATION / 4, 50)
  const tree = new Squares(rows)
  for (let round = 0; round < ROUNDS; round++) {
    const [exaggeration, momentum] = round < EARLY ? [EXAGGERATION, 0.5] : [1, 0.8]
    tree.build(places)
    const total = tree.repulsion(places, forces)
    for (let i = 0; i < forces.length; i++) forces[i] /= -total
    for (let edge = 0; edge < from.length; edge++) {
      const a = from[edge] * 2
      const b = to[edge] * 2
      const dx = places[a] - places[b]
      const dy = places[a + 1] - places[b + 1]
      const force = (exaggeration * weights[edge]) / (1 + dx * dx + dy * dy)
      forces[a] += force * dx
      forces[a + 1] += force * dy
    }
    for (let i = 0; i < forces.length; i++) {
      const gradient = 4 * forces[i]
      gains[i] = gradient > 0 === moves[i] > 0 ? Math.max(0.01, gains[i] * 0.8) : gains[i] + 0.2
      moves[i] = momentum * moves[i] - rate * gains[i] * gradient
      places[i] += moves[i]
    }
    report((round + 1) / ROUNDS)
  }
  return places
}

/** A tree of squares over points of a plane. Points that are nearly equal share a leaf. */
class Squares {
  /** Four children of each square; 0 for none. */
  #children: Int32Array
  /** The sums of the points' coordinates, and how many there are. */
  #sums: Float64Array
  /** For a leaf, one of its points; -1 for a square with children. */
  #point: Int32Array
  #count = 0
  #middle = [0, 0]
  #half = 1
  readonly #stack = new Int32Array(4 * 64)
  readonly #widths = new Float64Array(4 * 64)

  constructor(points: number) {
    const most = Math.max(64, points * 4)
    this.#children = new Int32Array(most * 4)
    this.#sums = new Float64Array(most * 3)
    this.#point = new Int32Array(most)
  }

  build(places: Float32Array): void {
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity]
    for (let i = 0; i < places.length; i += 2) {
      left = Math.min(left, places[i])
      right = Math.max(right, places[i])
      low = Math.min(low, places[i + 1])
      high = Math.max(high, places[i + 1])
    }
    this.#middle = [(left + right) / 2, (low + high) / 2]
    this.#half = Math.max(right - left, high - low) / 2 + 1e-9
    this.#count = 0
    this.#add()
    for (let i = 0; i < places.length / 2; i++) this.#insert(places, i)
  }

  #add(): number {
    const at = this.#count++
    if (at === this.#point.length) {
      const grown = <T extends Int32Array | Float64Array>(old: T): T => {
        const wider = new (old.constructor as new (size: number) => T)(old.length * 2)
        wider.set(old)
        return wider
      }
      this.#children = grown(this.#children)
      this.#sums = grown(this.#sums)
      this.#point = grown(this.#point)
    }
    this.#children.fill(0, at * 4, at * 4 + 4)
    this.#sums.fill(0, at * 3, at * 3 + 3)
    this.#point[at] = -1
    return at
  }

  #insert(places: Float32Array, point: number): void {
    const x = places[point * 2]
    const y = places[point * 2 + 1]
    let square = 0
    let half = this.#half
    let cx = this.#middle[0]
    let cy = this.#middle[1]
    for (let depth = 0; ; depth++) {
      const count = this.#sums[square * 3 + 2]
      this.#sums[square * 3] += x
      this.#sums[square * 3 + 1] += y
      this.#sums[square * 3 + 2] = count + 1
      if (count === 0) {
        this.#point[square] = point
        return
      }
      const there = this.#point[square]
      if (there >= 0) {
        if (depth > 40) return
        // Its points move down together: they are equal, or there is one.
        const px = places[there * 2]
        const py = places[there * 2 + 1]
        if (px === x && py === y) return
        const child = this.#add()
        this.#children[square * 4 + (px > cx ? 1 : 0) + (py > cy ? 2 : 0)] = child
        this.#sums[child * 3] = px * count
        this.#sums[child * 3 + 1] = py * count
        this.#sums[child * 3 + 2] = count
        this.#point[child] = there
        this.#point[square] = -1
      }
      const place = square * 4 + (x > cx ? 1 : 0) + (y > cy ? 2 : 0)
      half /= 2
      cx += x > cx ? half : -half
      cy += y > cy ? half : -half
      if (this.#children[place] === 0) {
        const child = this.#add()
        this.#children[place] = child
      }
      square = this.#children[place]
    }
  }

  /** Writes the sum of the forces from all other points on each; returns the sum of all kernels. */
  repulsion(places: Float32Array, forces: Float32Array): number {
    let total = 0
    const [stack, widths] = [this.#stack, this.#widths]
    const [children, sums, point] = [this.#children, this.#sums, this.#point]
    for (let i = 0; i < places.length; i += 2) {
      const x = places[i]
      const y = places[i + 1]
      let fx = 0
      let fy = 0
      let depth = 1
      stack[0] = 0
      widths[0] = this.#half * 2
      while (depth > 0) {
        const square = stack[--depth]
        const width = widths[depth]
        const count = sums[square * 3 + 2]
        const dx = x - sums[square * 3] / count
        const dy = y - sums[square * 3 + 1] / count
        const far = dx * dx + dy * dy
        if (point[square] >= 0 || width * width < THETA * THETA * far) {
          const kernel = 1 / (1 + far)
          // A point does not repel itself, and is in the leaf that is nowhere else.
          const others = far < 1e-18 && point[square] >= 0 ? count - 1 : count
          total += others * kernel
          const force = others * kernel * kernel
          fx += force * dx
          fy += force * dy
          continue
        }
        for (let child = square * 4; child < square * 4 + 4; child++) {
          if (children[child] === 0) continue
          widths[depth] = width / 2
          stack[depth++] = children[child]
        }
      }
      forces[i] = fx
      forces[i + 1] = fy
    }
    return total
  }
}

if (!isMainThread && parentPort !== null && (workerData as { layout?: LayoutRequest } | null)?.layout !== undefined) {
  const port = parentPort
  let last = performance.now()
  const places = layout((workerData as { layout: LayoutRequest }).layout, (done) => {
    if (performance.now() - last < 100) return
    last = performance.now()
    port.postMessage({ done })
  })
  port.postMessage({ places }, [places.buffer as ArrayBuffer])
}
