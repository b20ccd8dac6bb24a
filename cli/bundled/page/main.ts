// The page of `tokenbed explore`.

import { painted, type Painted } from './colors.js'
import { List } from './list.js'
import { startSearch } from './search.js'
import { openSource, type Projection, type Source } from './source.js'
import type { ProjectionName, Values } from './format.js'
import { View, type Theme } from './view.js'

const TITLES: Record<ProjectionName, string> = { pca: 'PCA', umap: 'UMAP', tsne: 't-SNE' }
const part = <T extends HTMLElement>(id: string) => document.getElementById(id) as T
const shown = (value: number) => value.toLocaleString('en-US')
const short = (value: number) => (Number.isInteger(value) ? shown(value) : String(Number(value.toPrecision(4))))

/** Says what the page is doing; nothing, if it is not. */
function busy(text: string | null): void {
  part('busy').hidden = text === null
  if (text !== null) part('busy').textContent = text
}

const failed = (error: unknown) => busy(error instanceof Error ? error.message : String(error))

function save(name: string, content: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

class Explorer {
  readonly #source: Source
  readonly #list: List
  readonly #search: ReturnType<typeof startSearch>
  #view: View | null = null
  #projection: Projection | null = null
  #painted: Painted | null = null
  #values: Values | null = null
  /** The rows that are listed, with their similarities to the focus, if there is one. */
  #listed: { readonly ids: readonly number[]; readonly similarities?: readonly number[] } = { ids: [] }
  #isDark: boolean
  /** How many pictures were asked for: one that is ready after another was asked for is not drawn. */
  #asked = 0
  #isDrawing = false
  /** How often the list was asked for other rows: those that come after the next question are not shown. */
  #questions = 0
  /** The end of the last search, for keys that are pressed before it. */
  #searched: Promise<void> = Promise.resolve()
  /** Columns that have been read, for the text beside the mouse. */
  readonly #known = new Map<number, Values>()

  constructor(source: Source) {
    const { head, names } = source
    this.#source = source
    this.#isDark = isDarkAtFirst()
    this.#list = new List(part('list'), (id) => void this.#focus(id, true))
    this.#search = startSearch(names)
    part('facts').textContent =
      `${shown(head.count)} ${head.noun}${head.count === 1 ? '' : 's'} of ${head.dim} number${head.dim === 1 ? '' : 's'}`
    part('facts').title = head.notes.join('; ')
    fill(
      part('projection'),
      head.projections.map(({ name }) => [name, TITLES[name]]),
      head.projection,
    )
    fill(
      part('color'),
      [['-1', 'none'], ...head.columns.map(({ name }, i): [string, string] => [String(i), name])],
      String(head.color),
    )
    this.#applyTheme()
    try {
      this.#view = new View(part('points'), part('labels'), names, themeOf(), {
        over: (id, at) => this.#tip(id, at),
        click: (id) => void this.#focus(id, false),
        select: (ids) => this.#selected([...ids].sort((a, b) => a - b)),
        clear: () => this.#clear(),
      })
    } catch (error) {
      failed(error)
    }
    this.#listen()
    this.#clear()
    if (!head.hasNames) this.#toggle('names')
  }

  async start(): Promise<void> {
    const { head } = this.#source
    for (let i = 0; i < head.columns.length; i++)
      if (head.columns[i].late !== true) this.#known.set(i, await this.#source.column(i))
    await this.#redraw(true)
    await this.#view?.fit()
  }

  /** Draws the projection and the colours that are chosen. */
  async #redraw(isFirst = false): Promise<void> {
    if (this.#view === null) return
    const turn = ++this.#asked
    const name = part<HTMLSelectElement>('projection').value as ProjectionName
    const color = Number(part<HTMLSelectElement>('color').value)
    this.#isDrawing = true
    try {
      busy(isFirst ? 'Drawing...' : `${TITLES[name]}...`)
      const projection = await this.#source.projection(name, (done) => {
        if (turn === this.#asked) busy(`${TITLES[name]}: ${Math.floor(done * 100)} %`)
      })
      if (color >= 0 && !this.#known.has(color)) {
        busy('Finding clusters...')
        this.#known.set(color, await this.#source.column(color))
      }
      if (turn !== this.#asked) return
      this.#projection = projection
      this.#values = color < 0 ? null : this.#known.get(color)!
      this.#painted = painted(this.#values, this.#source.head.count, this.#isDark)
      this.#legend()
      this.#say()
      await this.#view.draw(projection, this.#painted, isFirst)
      if (turn === this.#asked) busy(null)
    } catch (error) {
      if (turn === this.#asked) failed(error)
    }
    if (turn === this.#asked) this.#isDrawing = false
  }

  /** Notes in the corner of the picture. */
  #say(): void {
    const notes = [this.#projection?.note ?? '', ...this.#source.head.notes].filter((note) => note !== '')
    part('note').textContent = notes.join(' \u00b7 ')
  }

  #legend(): void {
    const box = part('legend')
    box.replaceChildren()
    const { legend } = this.#painted!
    if (legend.kind === 'ramp') {
      const ramp = document.createElement('div')
      ramp.id = 'ramp'
      ramp.style.background = `linear-gradient(90deg, ${legend.colors.filter((_, i) => i % 6 === 0).join(', ')})`
      const ends = document.createElement('div')
      ends.id = 'ends'
      for (const end of [legend.low, legend.high]) {
        const text = document.createElement('span')
        text.textContent = short(end)
        ends.append(text)
      }
      box.append(ramp, ends)
    }
    if (legend.kind !== 'categories') return
    const { values } = this.#values!
    for (const { name, color, count, code } of legend.rows)
      box.append(this.#legendRow(color, name, count, (i) => values[i] === code))
    if (legend.others > 0) {
      const own = legend.rows.length
      const count = this.#source.head.count - legend.rows.reduce((sum, row) => sum + row.count, 0)
      box.append(
        this.#legendRow(
          this.#painted!.colors.at(-1)!,
          `${shown(legend.others)} others`,
          count,
          (i) => values[i] >= own,
        ),
      )
    }
  }

  #legendRow(color: string, name: string, count: number, isIn: (id: number) => boolean): HTMLElement {
    const row = document.createElement('button')
    const [dot, text, number] = [
      document.createElement('i'),
      document.createElement('span'),
      document.createElement('small'),
    ]
    dot.style.background = color
    text.textContent = name
    number.textContent = shown(count)
    row.title = `${name}: select its ${shown(count)} rows`
    row.append(dot, text, number)
    row.addEventListener('click', () => {
      const ids: number[] = []
      for (let i = 0; i < this.#source.head.count; i++) if (isIn(i)) ids.push(i)
      this.#selected(ids, name)
    })
    return row
  }

  #tip(id: number | null, [x, y]: readonly [number, number]): void {
    const tip = part('tip')
    tip.hidden = id === null
    if (id === null) return
    const name = document.createElement('b')
    name.textContent = this.#source.names[id]
    tip.replaceChildren(name, document.createTextNode(this.#about(id)))
    const stage = part('stage')
    tip.style.left = `${Math.max(4, Math.min(x + 14, stage.clientWidth - tip.offsetWidth - 6))}px`
    tip.style.top = `${Math.max(4, y + 14 + tip.offsetHeight > stage.clientHeight ? y - tip.offsetHeight - 10 : y + 14)}px`
  }

  /** What the columns say of a row, a line each. */
  #about(id: number): string {
    const lines = [...this.#known].map(([index, { categories, values }]) => {
      const value = categories === undefined ? values[id] : categories[values[id]]
      return `${this.#source.head.columns[index].name}: ${typeof value === 'number' ? (Number.isNaN(value) ? '-' : short(value)) : value}`
    })
    return [`row ${shown(this.#row(id))}`, ...lines].join('\n')
  }

  #row = (id: number) => this.#source.ids?.[id] ?? id

  /** Shows what is nearest to a row. */
  async #focus(id: number, isFromList: boolean): Promise<void> {
    const question = ++this.#questions
    const name = this.#source.names[id]
    try {
      const near = await this.#source.nearest(id)
      if (question !== this.#questions) return
      const ids = near?.map((one) => one.id) ?? []
      const similarities = near?.map((one) => one.similarity) ?? []
      this.#listed = { ids: [id, ...ids], similarities: [1, ...similarities] }
      this.#heading(`Nearest to ${name}`, true)
      if (near === null) this.#list.say('This file has no neighbours: tokenbed explore without --out finds them.')
      else this.#list.show(ids, this.#source.names, similarities)
      this.#view?.mark([id, ...ids.slice(0, 15)])
      this.#view?.focus(id, ids.slice(0, 15))
      if (isFromList) await this.#view?.goTo(id, ...ids.slice(0, 15))
      if (this.#isDrawing) return
      if (this.#view?.placeOf(id) === null) busy(`${name} is not among the rows of this projection`)
      else busy(null)
    } catch (error) {
      if (question === this.#questions) failed(error)
    }
  }

  /** Finds what is typed. */
  async #find(typed: string): Promise<void> {
    const text = typed.trim()
    if (text === '') return this.#clear()
    const question = ++this.#questions
    const found = await this.#search(text, () => question === this.#questions)
    if (found === null) return
    const { ids, count } = found
    this.#listed = { ids }
    this.#heading(count === 0 ? `No name has ${text} in it` : `${shown(count)} with ${text}`, count > 0)
    this.#list.show(ids, this.#source.names)
    this.#view?.focus(null, [])
    this.#view?.mark(ids)
  }

  #selected(ids: readonly number[], name = ''): void {
    if (ids.length === 0) return this.#clear()
    this.#questions++
    this.#listed = { ids }
    this.#heading(name === '' ? `${shown(ids.length)} selected` : `${shown(ids.length)}: ${name}`, true)
    this.#list.show(ids, this.#source.names)
    this.#view?.focus(null, [])
    this.#view?.mark(ids)
  }

  #clear(): void {
    this.#questions++
    this.#listed = { ids: [] }
    this.#heading('', false)
    this.#list.say('Type to search. Click a point for its nearest rows. Drag with Shift to select.')
    this.#view?.focus(null, [])
    this.#view?.mark([])
  }

  #heading(text: string, hasActions: boolean): void {
    part('heading').textContent = text
    part('actions').hidden = !hasActions
  }

  /** Saves the rows that are listed, with all that is known of them, as text with tabs. */
  #save(): void {
    const { ids, similarities } = this.#listed
    if (ids.length === 0) return
    const columns = [...this.#known].map(([index, column]) => ({ name: this.#source.head.columns[index].name, column }))
    const lines = ids.map((id, i) => [
      this.#row(id),
      this.#source.names[id],
      ...(similarities === undefined ? [] : [similarities[i]]),
      ...columns.map(({ column: { categories, values } }) =>
        categories === undefined ? values[id] : categories[values[id]],
      ),
    ])
    const head = [
      'row',
      'name',
      ...(similarities === undefined ? [] : ['similarity']),
      ...columns.map(({ name }) => name),
    ]
    save(
      'selection.tsv',
      new Blob([[head, ...lines].map((line) => `${line.join('\t')}\n`).join('')], {
        type: 'text/tab-separated-values',
      }),
    )
  }

  #applyTheme(): void {
    document.documentElement.dataset.theme = this.#isDark ? 'dark' : 'light'
    part('theme').textContent = this.#isDark ? 'Light' : 'Dark'
  }

  #toggleTheme(): void {
    this.#isDark = !this.#isDark
    this.#applyTheme()
    this.#view?.setTheme(themeOf())
    void this.#redraw()
  }

  /** Moves in the list. A key that is pressed before the rows of a search are there is for them. */
  async #listKey(key: string): Promise<void> {
    const question = this.#questions
    await this.#searched
    if (question === this.#questions) this.#list.key(key, part('search'))
  }

  #next(id: 'projection' | 'color'): void {
    const select = part<HTMLSelectElement>(id)
    select.selectedIndex = (select.selectedIndex + 1) % select.options.length
    void this.#redraw()
  }

  #toggle(id: 'names' | 'lasso'): void {
    const button = part(id)
    const isOn = button.getAttribute('aria-pressed') !== 'true'
    button.setAttribute('aria-pressed', String(isOn))
    if (id === 'names') this.#view?.setNames(isOn)
    else this.#view?.setLasso(isOn)
  }

  #listen(): void {
    const search = part<HTMLInputElement>('search')
    const on = (id: string, work: () => unknown) => part(id).addEventListener('click', () => void work())
    search.addEventListener('input', () => {
      this.#searched = this.#find(search.value)
    })
    for (const id of ['projection', 'color']) part(id).addEventListener('change', () => void this.#redraw())
    const clear = () => {
      search.value = ''
      this.#clear()
    }
    const picture = async () => this.#view !== null && save('tokenbed.png', await this.#view.picture())
    on('save', () => this.#save())
    on('copy', () => navigator.clipboard?.writeText(this.#listed.ids.map((id) => this.#source.names[id]).join('\n')))
    on('clear', clear)
    on('fit', () => this.#view?.fit())
    on('lasso', () => this.#toggle('lasso'))
    on('names', () => this.#toggle('names'))
    on('picture', picture)
    on('theme', () => this.#toggleTheme())
    on('help', () => part<HTMLDialogElement>('keys').showModal())
    const keys: Record<string, () => unknown> = {
      '/': () => search.focus(),
      '?': () => part<HTMLDialogElement>('keys').showModal(),
      '0': () => this.#view?.fit(),
      '+': () => this.#view?.zoom(1.5),
      '=': () => this.#view?.zoom(1.5),
      '-': () => this.#view?.zoom(1 / 1.5),
      p: () => this.#next('projection'),
      c: () => this.#next('color'),
      l: () => this.#toggle('names'),
      t: () => this.#toggleTheme(),
      s: () => this.#save(),
    }
    const moves: Record<string, readonly [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, 1],
      ArrowDown: [0, -1],
    }
    document.addEventListener('keydown', (event) => {
      const at = event.target as HTMLElement
      if (part<HTMLDialogElement>('keys').open || event.ctrlKey || event.metaKey || event.altKey) return
      if (event.key === 'Escape') {
        clear()
        part('points').focus()
        return
      }
      if (at === search || part('list').contains(at)) {
        const isForList = ['ArrowUp', 'ArrowDown', 'Enter'].includes(event.key)
        if (isForList) {
          event.preventDefault()
          void this.#listKey(event.key)
        }
        if (at === search || isForList) return
      }
      if (at.tagName === 'SELECT') return
      const work = keys[event.key] ?? keys[event.key.toLowerCase()]
      const move = moves[event.key]
      if (work === undefined && move === undefined) return
      event.preventDefault()
      void (work === undefined ? this.#view?.move(...move) : work())
    })
  }
}

function fill(
  select: HTMLSelectElement,
  rows: readonly (readonly [value: string, text: string])[],
  chosen: string,
): void {
  for (const [value, text] of rows) select.add(new Option(text, value, value === chosen, value === chosen))
}

/** The system's choice, unless the address says `#dark` or `#light`. */
function isDarkAtFirst(): boolean {
  const { hash } = location
  return hash === '#dark' || (hash !== '#light' && matchMedia('(prefers-color-scheme: dark)').matches)
}

function themeOf(): Theme {
  const style = getComputedStyle(document.documentElement)
  const value = (name: string) => style.getPropertyValue(`--${name}`).trim()
  return {
    isDark: document.documentElement.dataset.theme === 'dark',
    ground: value('ground'),
    ink: value('ink'),
    accent: value('accent'),
    mark: value('mark'),
  }
}

async function main(): Promise<void> {
  try {
    await new Explorer(await openSource()).start()
    document.documentElement.dataset.state = 'ready'
  } catch (error) {
    failed(error)
  }
}

void main()
