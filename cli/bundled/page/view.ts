// The picture: points by regl-scatterplot, and names and rings on a canvas above them.

import createScatterplot, { createRenderer } from 'regl-scatterplot'
import type { Painted } from './colors.js'
import { labelsFor, type Label } from './labels.js'
import type { Projection } from './source.js'

export interface Handlers {
  /** The mouse is over a row, or over none. */
  readonly over: (id: number | null, at: readonly [x: number, y: number]) => void
  /** A row was clicked. */
  readonly click: (id: number) => void
  /** Rows were drawn around. */
  readonly select: (ids: readonly number[]) => void
  /** The empty ground was clicked. */
  readonly clear: () => void
}

export interface Theme {
  readonly isDark: boolean
  readonly ground: string
  readonly ink: string
  readonly accent: string
  readonly mark: string
}

type Plot = ReturnType<typeof createScatterplot>

const SIZES: readonly (readonly [rows: number, size: number, opacity: number])[] = [
  [300, 9, 0.9],
  [3_000, 7, 0.85],
  [20_000, 5, 0.75],
  [100_000, 3.5, 0.6],
  [400_000, 2.5, 0.5],
  [Infinity, 2, 0.4],
]
const MOVE_MS = 350
/** The library selects one row after the other, so that very many take long. */
const MOST_SELECTED = 100_000

export class View {
  readonly #canvas: HTMLCanvasElement
  readonly #above: HTMLCanvasElement
  readonly #names: readonly string[]
  #plot: Plot
  #theme: Theme
  #places = new Float32Array(0)
  #shown: Int32Array | null = null
  /** The number among those shown of each row; -1 for those that are not. */
  #placeOf: Int32Array | null = null
  #matrix: Float32Array | null = null
  #labels: Label[] = []
  #focus: number | null = null
  #near: readonly number[] = []
  #marked: readonly number[] = []
  #hasNames = true
  #timer = 0
  #isQuiet = false
  #isDrawn = false
  /** Drawings happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(
    canvas: HTMLCanvasElement,
    above: HTMLCanvasElement,
    names: readonly string[],
    theme: Theme,
    handlers: Handlers,
  ) {
    this.#canvas = canvas
    this.#above = above
    this.#names = names
    this.#theme = theme
    const { clientWidth: width, clientHeight: height } = canvas.parentElement!
    const renderer = createRenderer()
    if (!renderer.isSupported)
      throw new Error('This browser has no WebGL with textures of floats, which draws the points')
    this.#plot = createScatterplot({
      renderer,
      canvas,
      width,
      height,
      backgroundColor: theme.ground,
      lassoColor: theme.accent,
      lassoInitiator: false,
      pointScaleMode: 'asinh',
      pointColorHover: theme.mark,
      pointColorActive: theme.mark,
      pointOutlineWidth: 0,
      pointSizeSelected: 2,
      opacityInactiveMax: 0.35,
      opacityInactiveScale: 0.5,
      deselectOnDblClick: false,
      deselectOnEscape: false,
      showReticle: false,
    })
    const real = (point: number) => (this.#shown === null ? point : this.#shown[point])
    this.#plot.subscribe('pointOver', (point) => handlers.over(real(point), this.#at(point)))
    this.#plot.subscribe('pointOut', () => handlers.over(null, [0, 0]))
    this.#plot.subscribe('select', ({ points }) => {
      if (this.#isQuiet) return
      if (points.length === 1) handlers.click(real(points[0]))
      else handlers.select(points.map(real))
    })
    this.#plot.subscribe('deselect', () => {
      if (!this.#isQuiet) handlers.clear()
    })
    this.#plot.subscribe('view', ({ view }) => {
      this.#matrix = Float32Array.from(view as ArrayLike<number>)
      this.#paint()
      this.#relabel()
    })
    new ResizeObserver(() => this.#resize()).observe(canvas.parentElement!)
  }

  /** Draws a projection in colours. If the rows are those that are there already, they move. */
  draw(projection: Projection, { codes, colors }: Painted, isFirst: boolean): Promise<void> {
    const work = this.#turn.then(() => this.#draw(projection, codes, colors, isFirst))
    this.#turn = work.catch(() => {})
    return work
  }

  async #draw(
    { places, shown }: Projection,
    codes: Uint8Array,
    colors: readonly string[],
    isFirst: boolean,
  ): Promise<void> {
    const isSame = places === this.#places
    const moves =
      !isSame && !isFirst && shown === null && this.#shown === null && places.length <= 200_000 && !isStill()
    const count = places.length / 2
    const [x, y, z] = [new Float32Array(count), new Float32Array(count), new Float32Array(count)]
    for (let i = 0; i < count; i++) {
      x[i] = places[i * 2]
      y[i] = places[i * 2 + 1]
      z[i] = codes[shown === null ? i : shown[i]]
    }
    const [, size, opacity] = SIZES.find(([rows]) => count <= rows)!
    this.#places = places as Float32Array<ArrayBuffer>
    this.#shown = shown
    this.#placeOf = null
    this.#labels = []
    // One colour is no encoding.
    const isPlain = colors.length < 2
    await this.#plot.set({
      pointColor: isPlain ? colors[0] : [...colors],
      colorBy: isPlain ? null : 'valueA',
      pointSize: size,
      opacity,
    })
    // The numbers of colours are whole, which the library takes as they are.
    await this.#plot.draw(
      { x, y, ...(isPlain ? {} : { valueA: z }) },
      {
        ...(isPlain ? {} : { zDataType: 'categorical' as const }),
        ...(moves ? { transition: true, transitionDuration: 700 } : {}),
        ...(isSame && this.#isDrawn ? { spatialIndex: this.#plot.get('spatialIndex') } : {}),
      },
    )
    this.#isDrawn = true
    this.#matrix = Float32Array.from(this.#plot.get('cameraView') as ArrayLike<number>)
    this.#select()
    this.#relabel()
  }

  get isDrawn(): boolean {
    return this.#isDrawn
  }

  /** Marks a row and those near to it; null for none. */
  focus(id: number | null, near: readonly number[]): void {
    this.#focus = id
    this.#near = near
    this.#paint()
    this.#relabel()
  }

  /** Marks rows, and dims all others. */
  mark(ids: readonly number[]): void {
    this.#marked = ids
    this.#select()
    this.#relabel()
  }

  #select(): void {
    if (!this.#isDrawn) return
    this.#isQuiet = true
    const points = this.#marked.slice(0, MOST_SELECTED).flatMap((id) => this.placeOf(id) ?? [])
    if (points.length > 0) this.#plot.select(points, { preventEvent: true })
    else this.#plot.deselect({ preventEvent: true })
    this.#isQuiet = false
  }

  setTheme(theme: Theme): void {
    this.#theme = theme
    void this.#plot.set({
      backgroundColor: theme.ground,
      lassoColor: theme.accent,
      pointColorHover: theme.mark,
      pointColorActive: theme.mark,
    })
  }

  setLasso(isOn: boolean): void {
    void this.#plot.set({ mouseMode: isOn ? 'lasso' : 'panZoom' })
  }

  setNames(isOn: boolean): void {
    this.#hasNames = isOn
    this.#relabel()
  }

  /** The number among those shown of a row; null if it is not. */
  placeOf(id: number): number | null {
    if (this.#shown === null) return id
    if (this.#placeOf === null) {
      this.#placeOf = new Int32Array(this.#names.length).fill(-1)
      this.#shown.forEach((row, place) => (this.#placeOf![row] = place))
    }
    return this.#placeOf[id] < 0 ? null : this.#placeOf[id]
  }

  fit(): Promise<void> {
    return this.#go([0, 0], 1 / Math.min(1, this.#aspect()))
  }

  /** Comes so near to a row that its surroundings fill the picture. */
  async goTo(id: number, ...others: readonly number[]): Promise<void> {
    const places = [id, ...others].flatMap((one) => this.placeOf(one) ?? [])
    const own = this.placeOf(id)
    if (own === null) return
    const [x, y] = [this.#places[own * 2], this.#places[own * 2 + 1]]
    const far = places
      .map((place) => Math.max(Math.abs(this.#places[place * 2] - x), Math.abs(this.#places[place * 2 + 1] - y)))
      .sort((a, b) => a - b)
    // Three of four are in the picture; of a row alone, some of what is around it.
    const wanted = Math.max(0.03, (far[Math.floor(far.length * 0.75)] ?? 0) * 1.3)
    await this.#go([x, y], Math.min(this.#distance(), Math.max(wanted, 0.02)))
  }

  zoom(factor: number): Promise<void> {
    return this.#go(this.#target(), this.#distance() / factor)
  }

  move(x: number, y: number): Promise<void> {
    const [left, top] = this.#target()
    const step = this.#distance() * 0.25
    return this.#go([left + x * step, top + y * step], this.#distance())
  }

  #aspect = () => this.#canvas.clientWidth / Math.max(1, this.#canvas.clientHeight)
  #target = () => this.#plot.get('cameraTarget')
  #distance = () => this.#plot.get('cameraDistance')

  async #go(target: [number, number], distance: number): Promise<void> {
    if (!this.#isDrawn) return
    const isQuick = isStill()
    await this.#plot.zoomToLocation(target, distance, isQuick ? {} : { transition: true, transitionDuration: MOVE_MS })
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas.parentElement!
    if (width === 0 || height === 0) return
    void this.#plot.set({ width, height })
    this.#paint()
    this.#relabel()
  }

  /** Where a point is in the picture, in pixels. */
  #at(point: number): [number, number] {
    const matrix = this.#matrix
    const { clientWidth: width, clientHeight: height } = this.#canvas
    if (matrix === null) return [0, 0]
    const [x, y] = [this.#places[point * 2], this.#places[point * 2 + 1]]
    const across = (matrix[0] * x + matrix[4] * y + matrix[12]) / (width / height)
    const up = matrix[1] * x + matrix[5] * y + matrix[13]
    return [((across + 1) / 2) * width, ((1 - up) / 2) * height]
  }

  #relabel(): void {
    clearTimeout(this.#timer)
    this.#timer = window.setTimeout(() => {
      const { clientWidth: width, clientHeight: height } = this.#canvas
      this.#labels = this.#isDrawn
        ? labelsFor({
            width,
            height,
            count: this.#places.length / 2,
            at: (point) => this.#at(point),
            name: (point) => this.#names[this.#shown === null ? point : this.#shown[point]],
            first: this.#firstLabels(),
            others: this.#hasNames && this.#marked.length === 0 && this.#focus === null,
          })
        : []
      this.#paint()
    }, 60)
  }

  /** Points whose names come before all others. */
  #firstLabels(): number[] {
    const ids = [...(this.#focus === null ? [] : [this.#focus]), ...this.#near, ...this.#marked.slice(0, 400)]
    return [...new Set(ids)].flatMap((id) => this.placeOf(id) ?? [])
  }

  /** Paints rings and names. */
  #paint(): void {
    const context = this.#above.getContext('2d')!
    const { clientWidth: width, clientHeight: height } = this.#canvas
    const ratio = window.devicePixelRatio || 1
    if (this.#above.width !== Math.round(width * ratio)) this.#above.width = Math.round(width * ratio)
    if (this.#above.height !== Math.round(height * ratio)) this.#above.height = Math.round(height * ratio)
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.clearRect(0, 0, width, height)
    const ring = (id: number, radius: number, color: string, thick: number) => {
      const place = this.placeOf(id)
      if (place === null) return
      const [x, y] = this.#at(place)
      context.beginPath()
      context.arc(x, y, radius, 0, 7)
      context.strokeStyle = color
      context.lineWidth = thick
      context.stroke()
    }
    for (const id of this.#near) ring(id, 6, this.#theme.accent, 1.5)
    if (this.#focus !== null) ring(this.#focus, 9, this.#theme.mark, 2.5)
    context.lineJoin = 'round'
    context.lineWidth = 3.5
    context.strokeStyle = this.#theme.ground
    for (const { point, text, dx, dy, isFirst } of this.#labels) {
      const [x, y] = this.#at(point)
      context.font = isFirst ? '600 12px system-ui, sans-serif' : '11.5px system-ui, sans-serif'
      context.globalAlpha = 0.85
      context.strokeText(text, x + dx, y + dy)
      context.globalAlpha = 1
      context.fillStyle = this.#theme.ink
      context.fillText(text, x + dx, y + dy)
    }
  }

  /** The picture as a PNG. */
  async picture(): Promise<Blob> {
    const image = await this.#plot.export({ scale: 2, antiAliasing: 1 })
    const canvas = document.createElement('canvas')
    canvas.width = image.width
    canvas.height = image.height
    const context = canvas.getContext('2d')!
    const points = document.createElement('canvas')
    points.width = image.width
    points.height = image.height
    points.getContext('2d')!.putImageData(image, 0, 0)
    context.fillStyle = this.#theme.ground
    context.fillRect(0, 0, canvas.width, canvas.height)
    context.drawImage(points, 0, 0)
    context.drawImage(this.#above, 0, 0, canvas.width, canvas.height)
    return new Promise((resolve, reject) =>
      canvas.toBlob((blob) => (blob === null ? reject(new Error('no picture')) : resolve(blob)), 'image/png'),
    )
  }
}

const isStill = () => matchMedia('(prefers-reduced-motion: reduce)').matches
