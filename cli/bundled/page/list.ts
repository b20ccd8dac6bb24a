// The list of rows that were found, selected, or are near.

/** The most rows that are listed; more are only counted. */
const MOST = 300

export class List {
  readonly #box: HTMLElement
  readonly #choose: (id: number) => void

  constructor(box: HTMLElement, choose: (id: number) => void) {
    this.#box = box
    this.#choose = choose
  }

  /** Lists rows, with a bar for their similarity if there is one. */
  show(ids: readonly number[], names: readonly string[], similarities?: readonly number[]): void {
    const rows = ids.slice(0, MOST).map((id, i) => {
      const [item, button] = [document.createElement('li'), document.createElement('button')]
      const text = document.createElement('span')
      text.textContent = names[id]
      button.title = names[id]
      button.append(text)
      if (similarities !== undefined) {
        const [bar, number] = [document.createElement('i'), document.createElement('small')]
        bar.style.width = `${Math.max(0, similarities[i]) * 100}%`
        number.textContent = similarities[i].toFixed(3)
        button.prepend(bar)
        button.append(number)
      }
      button.addEventListener('click', () => this.#choose(id))
      item.append(button)
      return item
    })
    this.#box.replaceChildren(...rows)
    this.#box.scrollTop = 0
    if (ids.length > MOST)
      this.#more(`and ${(ids.length - MOST).toLocaleString('en-US')} more, which are in the picture`)
  }

  say(text: string): void {
    this.#box.replaceChildren()
    this.#more(text)
  }

  #more(text: string): void {
    const [item, line] = [document.createElement('li'), document.createElement('p')]
    line.textContent = text
    item.append(line)
    this.#box.append(item)
  }

  /** Moves among the rows by the arrows, from the search and back, or chooses one by Enter: the first, if none is. */
  key(key: string, search: HTMLElement): void {
    const buttons = [...this.#box.querySelectorAll('button')]
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement)
    if (key === 'Enter') return buttons[Math.max(at, 0)]?.click()
    const next = at + (key === 'ArrowDown' ? 1 : -1)
    if (next < 0) search.focus()
    else buttons[Math.min(next, buttons.length - 1)]?.focus()
  }
}
