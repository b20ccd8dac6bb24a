// tokenbed explore: what it serves and writes, and its page in a real browser.

import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, request, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Page } from 'playwright-core'
import { Generator, manualSeed, randn, saveModel, saveNpy, saveWord2Vec, tensor, topK } from '../../index.js'
import { layout } from '../../cli/bundled/layouts.js'
import { findBrowser, startBrowser } from '../support/browser.js'
import { fails, output, start } from '../support/command.js'
import { temporaryFolder } from '../support/temporary.js'

const folder = temporaryFolder()
const file = (name: string) => join(folder, name)
const [GROUPS, ROWS, DIM] = [6, 240, 12]

/** Rows in six groups that lie far from each other: row i is of group i % 6. */
function blobs(): Float32Array {
  manualSeed(5)
  const centers = randn([GROUPS, DIM]).mul(4).data
  const rows = randn([ROWS, DIM]).data as Float32Array
  for (let i = 0; i < ROWS; i++)
    for (let j = 0; j < DIM; j++) rows[i * DIM + j] += Number(centers[(i % GROUPS) * DIM + j])
  return rows
}

test.before(() => {
  const rows = tensor(blobs(), { shape: [ROWS, DIM] })
  saveNpy(file('blobs.npy'), rows)
  const kind = (i: number) => (i % GROUPS === 0 ? 'red fish' : `kind ${i % GROUPS}`)
  const lines = Array.from({ length: ROWS }, (_, i) => `${kind(i)}\t${i % 7 === 0 ? '' : i / 2}\n`)
  writeFileSync(file('columns.tsv'), `kind\tlength\n${lines.join('')}`)
  writeFileSync(file('names.txt'), Array.from({ length: ROWS }, (_, i) => `word${i} </script><b>&\n`).join(''))
})

/** Starts the command, and returns the address that it prints and what ends it. */
async function served(t: ExecutionContext, ...args: string[]): Promise<{ url: string; end: () => Promise<unknown> }> {
  const child = start(['explore', '--no-open', '--json', ...args], { cwd: folder })
  let [out, errors] = ['', '']
  child.stderr!.on('data', (text) => (errors += text))
  child.stdout!.on('data', (text) => (out += text))
  while (!out.includes('\n') && child.exitCode === null)
    await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')])
  t.regex(out, /^\{.*\}\n$/, errors)
  const closed = once(child, 'close')
  return {
    url: JSON.parse(out).url,
    async end() {
      child.kill('SIGINT')
      return (await closed)[0] ?? (await closed)[1]
    },
  }
}

interface Got {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

function get(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  return new Promise((resolve, reject) => {
    request(url, { headers, method }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part) => parts.push(part))
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts) }),
      )
    })
      .on('error', reject)
      .end()
  })
}

/** The head of what the page reads. */
const headOf = (whole: Buffer) => JSON.parse(whole.toString('utf8', 4, 4 + whole.readUInt32LE(0)))

test('it answers the page alone, and ends by Ctrl-C', async (t) => {
  t.timeout(300_000)
  const { url, end } = await served(t, 'blobs.npy', '--columns', 'columns.tsv', '--color', 'kind')
  const { host, port } = new URL(url)
  t.regex(url, /^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}\/$/)
  const page = await get(url)
  t.is(page.status, 200)
  t.regex(String(page.headers['content-type']), /html/)
  t.is(page.headers['cache-control'], 'no-store')
  const { status, body } = await get(`${url}data`)
  t.is(status, 200)
  const head = headOf(body)
  t.is(head.count, ROWS)
  t.deepEqual(
    head.columns.map(({ name, kind }: { name: string; kind: string }) => [name, kind]),
    [
      ['norm', 'number'],
      ['kind', 'category'],
      ['length', 'number'],
      ['cluster', 'category'],
    ],
  )
  t.is(head.color, 1)
  t.deepEqual(head.columns[1].categories, ['kind 1', 'kind 2', 'kind 3', 'kind 4', 'kind 5', 'red fish'])
  // Neighbours are those of a search.
  const rows = tensor(blobs(), { shape: [ROWS, DIM] })
  const { nearest } = JSON.parse((await get(`${url}neighbours/7?k=5`)).body.toString())
  const found = topK(rows.narrow(0, 7, 1), rows, { k: 6 })
  t.deepEqual(
    nearest.map(({ id }: { id: number }) => id),
    Array.from(found.ids.data as Int32Array).slice(1),
  )
  t.is(nearest[0].similarity, Number(found.scores.data[1]))
  // Other hosts, origins and paths get nothing.
  for (const [path, headers, expected] of [
    [url, { host: 'evil.example' }, 403],
    [url, { host: `evil.example:${port}` }, 403],
    [`${url}data`, { origin: 'http://evil.example' }, 403],
    [`${url}data`, { origin: 'null' }, 403],
    [`${url}data`, { 'sec-fetch-site': 'cross-site' }, 403],
    [`${url}data`, { origin: `http://${host}`, 'sec-fetch-site': 'same-origin' }, 200],
    [`http://${host}/`, {}, 404],
    [`http://${host}/data`, {}, 404],
    [`${url.slice(0, -3)}00/data`, {}, 404],
    [`${url}neighbours/240`, {}, 404],
    [`${url}neighbours/x`, {}, 404],
    [`${url}neighbours/1?k=100000`, {}, 404],
    [`${url}projection/none`, {}, 404],
    [`${url}__proto__`, {}, 404],
    [`${url}../../etc/passwd`, {}, 404],
  ] as const)
    t.is((await get(path, headers)).status, expected, `${path} ${JSON.stringify(headers)}`)
  t.is((await get(url, {}, 'POST')).status, 405)
  // A projection and clusters are made when they are asked for.
  const umap = await get(`${url}projection/umap`)
  t.deepEqual(headOf(umap.body).projection, { name: 'umap', note: '', isSample: false })
  const clusters = headOf((await get(`${url}clusters`)).body)
  t.is(clusters.column.categories.length, 10)
  t.is(await end(), 130)
})

test('a port that is in use is refused', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  await fails(
    t,
    ['explore', 'blobs.npy', '--no-open', '--port', String(port)],
    1,
    [`--port ${port}`, 'another program'],
    { cwd: folder },
  )
  other.close()
})

test('bad input is refused, and odd tables are drawn', async (t) => {
  t.timeout(300_000)
  const cwd = folder
  const bad = blobs().slice(0, 60)
  bad[13] = NaN
  bad[40] = Infinity
  saveNpy(file('some.npy'), tensor(bad, { shape: [5, 12] }))
  saveNpy(
    file('nan.npy'),
    tensor([
      [NaN, 1],
      [Infinity, 2],
    ]),
  )
  saveNpy(file('one.npy'), tensor([[1, 2, 3]]))
  saveNpy(file('column.npy'), tensor([[1], [2], [5]]))
  saveNpy(
    file('same.npy'),
    tensor([
      [1, 1],
      [1, 1],
      [1, 1],
      [1, 1],
      [1, 1],
    ]),
  )
  saveNpy(file('flat.npy'), tensor([1, 2, 3]))
  writeFileSync(file('few.tsv'), 'a\tb\n1\t2\n')
  writeFileSync(file('ragged.tsv'), 'a\tb\n1\t2\n3\n4\t5\n')
  writeFileSync(file('page.txt'), 'no table')
  const json = async (...args: string[]) =>
    JSON.parse(await output(t, ['explore', ...args, '--quiet', '--json'], { cwd }))
  const { bytes, ...some } = await json('some.npy', '--out', 'some.html')
  t.deepEqual(some, { out: 'some.html', rows: 5, drawn: 3, dim: 12, projection: 'pca' })
  t.is(bytes, statSync(file('some.html')).size)
  for (const name of ['one', 'column', 'same'])
    for (const projection of ['pca', 'umap', 'tsne'])
      t.true((await json(`${name}.npy`, '--out', `${name}.html`, '--projection', projection)).drawn > 0, name)
  t.is((await json('blobs.npy', '--out', 'x.html', '--limit', '50')).drawn, 50)
  for (const [args, code, ...said] of [
    [['none.npy', '--out', 'x.html'], 1, 'none.npy', 'no such file'],
    [['.', '--out', 'x.html'], 1, 'model.json'],
    [['page.txt', '--out', 'x.html'], 1, 'page.txt'],
    [['nan.npy', '--out', 'x.html'], 1, 'none of its 2 rows is finite'],
    [['flat.npy', '--out', 'x.html'], 2, 'flat.npy'],
    [['blobs.npy', '--out', 'x.svg'], 2, '.html'],
    [['blobs.npy', '--out', 'none/x.html'], 1, 'does not exist'],
    [['blobs.npy', '--out', 'x.html', '--color', 'size'], 2, '--color size', 'norm, cluster'],
    [['blobs.npy', '--out', 'x.html', '--columns', 'few.tsv'], 1, 'few.tsv', '241'],
    [['column.npy', '--out', 'x.html', '--columns', 'ragged.tsv'], 1, 'line 3', '1 values'],
    [['blobs.npy', '--out', 'x.html', '--columns', 'none.tsv'], 1, 'none.tsv', 'no such file'],
    [['blobs.npy', '--out', 'x.html', '--texts', 'few.tsv'], 1, '2 lines', '240'],
    [['blobs.npy', '--port', '70000'], 2, '65535'],
    [['blobs.npy', '--projection', 'mds'], 2, 'mds'],
  ] as const)
    await fails(t, ['explore', ...args, '--quiet'], code, [...said], { cwd })
})

test('the same seed gives the same places, and groups stay together', (t) => {
  const rows = tensor(blobs(), { shape: [ROWS, DIM] })
  for (const [kind, k] of [
    ['umap', 15],
    ['tsne', 30],
  ] as const) {
    const { ids, scores } = topK(rows, rows, { k: k + 1 })
    const near = (ids.toArray() as number[][]).flatMap((row) => row.slice(1))
    const far = (scores.toArray() as number[][]).flatMap((row) => row.slice(1).map((score) => 1 - score))
    const graph = { rows: ROWS, k, ids: Int32Array.from(near), distances: Float32Array.from(far) }
    const begin = Float32Array.from({ length: ROWS * 2 }, (_, i) =>
      Number(rows.data[Math.floor(i / 2) * DIM + (i % 2)]),
    )
    let last = 0
    const places = layout({ kind, graph, start: begin, seed: 3 }, (done) => (last = done))
    t.is(last, 1)
    t.deepEqual(layout({ kind, graph, start: begin, seed: 3 }), places)
    t.true(places.every(Number.isFinite))
    // The nearest row in the plane is of the same group.
    const same = Array.from({ length: ROWS }, (_, i) => {
      const distance = (j: number) =>
        (places[i * 2] - places[j * 2]) ** 2 + (places[i * 2 + 1] - places[j * 2 + 1]) ** 2
      const others = Array.from({ length: ROWS }, (_, j) => j).filter((j) => j !== i)
      return others.reduce((best, j) => (distance(j) < distance(best) ? j : best)) % GROUPS === i % GROUPS
    })
    t.true(same.filter(Boolean).length > ROWS * 0.95, kind)
  }
})

const browser = findBrowser()

/**
 * A test in the browser, which may fail by itself on a machine that is busy: what failed is said, and tried again with
 * a new one. A third failure counts.
 */
function inBrowser(title: string, run: (t: ExecutionContext) => Promise<void>): void {
  const declare = browser === null ? test.skip : test.serial
  declare(title, async (t) => {
    t.timeout(600_000)
    for (let left = 2; ; left--) {
      const attempt = await t.try(run)
      if (attempt.passed || left === 0) return attempt.commit()
      for (const error of attempt.errors) t.log(error)
      attempt.discard({ retainLogs: true })
    }
  })
}

/** Opens a page that must say nothing on its console, and load nothing but itself. */
async function opened(
  t: ExecutionContext,
  url: string,
  dark: boolean,
  work: (page: Page) => Promise<void>,
): Promise<void> {
  const started = await startBrowser(browser!)
  try {
    const context = await started.newContext({
      viewport: { width: 1000, height: 700 },
      colorScheme: dark ? 'dark' : 'light',
      reducedMotion: 'reduce',
      acceptDownloads: true,
    })
    const page = await context.newPage()
    page.setDefaultTimeout(60_000)
    const said: string[] = []
    // The renderer that draws by the processor says so when pixels are read back for a screenshot.
    page.on('console', (message) => /GL Driver Message/.test(message.text()) || said.push(message.text()))
    page.on('pageerror', (error) => said.push(String(error)))
    page.on('request', (one) => {
      if (!one.url().startsWith(url) && !/^(?:blob|data):/.test(one.url())) said.push(one.url())
    })
    await page.goto(url)
    await page.waitForSelector('html[data-state=ready]')
    await page.waitForSelector('#busy', { state: 'hidden' })
    await work(page)
    t.deepEqual(said, [])
  } finally {
    await started.close()
  }
}

/** How many pixels of the picture are neither the most frequent colour. */
async function inked(page: Page): Promise<number> {
  const bytes = (await page.locator('#points').screenshot()).toString('base64')
  return page.evaluate(async (png) => {
    const scope = globalThis as unknown as {
      createImageBitmap: (blob: Blob) => Promise<{ width: number; height: number }>
      OffscreenCanvas: new (
        w: number,
        h: number,
      ) => {
        getContext: (kind: '2d') => {
          drawImage: (image: unknown, x: number, y: number) => void
          getImageData: (x: number, y: number, w: number, h: number) => { data: Uint8ClampedArray }
        }
      }
    }
    const image = await scope.createImageBitmap(
      new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))], { type: 'image/png' }),
    )
    const canvas = new scope.OffscreenCanvas(image.width, image.height)
    const context = canvas.getContext('2d')
    context.drawImage(image, 0, 0)
    const { data } = context.getImageData(0, 0, image.width, image.height)
    const counts = new Map<number, number>()
    for (let i = 0; i < data.length; i += 4) {
      const color = (data[i] << 16) | (data[i + 1] << 8) | data[i + 2]
      counts.set(color, (counts.get(color) ?? 0) + 1)
    }
    return data.length / 4 - Math.max(...counts.values())
  }, bytes)
}

inBrowser('a served page is searched, clicked, selected from and saved', async (t) => {
  const { url, end } = await served(
    t,
    'blobs.npy',
    '--columns',
    'columns.tsv',
    '--texts',
    'names.txt',
    '--color',
    'kind',
  )
  try {
    await opened(t, url, false, async (page) => {
      t.is(await page.textContent('#facts'), '240 rows of 12 numbers')
      t.true((await inked(page)) > 2000)
      t.is(await page.locator('#legend button').count(), 6)
      await page.keyboard.press('/')
      await page.keyboard.type('word23')
      await page.waitForFunction(`document.getElementById('heading').textContent === '11 with word23'`)
      t.is(await page.locator('#list button').count(), 11)
      // The exact name would come first; these begin with it.
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('Enter')
      await page.waitForFunction(`/^Nearest to word23 /.test(document.getElementById('heading').textContent)`)
      const first = await page.locator('#list button').first().textContent()
      t.regex(first!, /^word\d+ <\/script><b>&0\.\d{3}$/)
      // The row is in the middle now: the mouse over it says what it is, and a click asks for its neighbours.
      const box = (await page.locator('#points').boundingBox())!
      await page.mouse.move(box.x + box.width / 2 + 30, box.y + box.height / 2)
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
      await page.waitForSelector('#tip:not([hidden])')
      t.regex((await page.textContent('#tip'))!, /^word23 [^]*row 23[^]*kind: kind 5/)
      await page.keyboard.press('Escape')
      t.is(await page.textContent('#heading'), '')
      await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2)
      await page.waitForFunction(`/^Nearest to word23 /.test(document.getElementById('heading').textContent)`)
      const saving = page.waitForEvent('download')
      await page.keyboard.press('s')
      const lines = readFileSync(await (await saving).path(), 'utf8').split('\n')
      t.is(lines[0], 'row\tname\tsimilarity\tnorm\tkind\tlength')
      t.regex(lines[1], /^23\tword23 <\/script><b>&\t1\t[\d.]+\tkind 5\t11.5$/)
      t.is(lines.length, 53)
      // A drawing around all points selects them all.
      await page.keyboard.press('Escape')
      await page.keyboard.press('0')
      await page.keyboard.down('Shift')
      const corners = [
        [0.02, 0.02],
        [0.98, 0.02],
        [0.98, 0.98],
        [0.02, 0.98],
        [0.02, 0.1],
      ]
      for (const [i, [x, y]] of corners.entries()) {
        await page.mouse.move(box.x + box.width * x, box.y + box.height * y, { steps: 5 })
        if (i === 0) await page.mouse.down()
      }
      await page.mouse.up()
      await page.keyboard.up('Shift')
      await page.waitForFunction(`document.getElementById('heading').textContent === '240 selected'`)
      await page.keyboard.press('Escape')
      await page.locator('#legend button', { hasText: 'red fish' }).click()
      t.is(await page.textContent('#heading'), '40: red fish')
      // Other projections and colours, by the menu and by keys.
      await page.selectOption('#projection', 'umap')
      await page.waitForSelector('#busy', { state: 'hidden' })
      t.true((await inked(page)) > 2000)
      await page.selectOption('#color', { label: 'cluster' })
      await page.waitForFunction(`document.querySelectorAll('#legend button').length === 10`)
      await page.locator('#points').focus()
      await page.keyboard.press('t')
      t.is(await page.getAttribute('html', 'data-theme'), 'dark')
      await page.keyboard.press('?')
      t.true(await page.isVisible('#keys'))
      await page.keyboard.press('Escape')
      const picture = page.waitForEvent('download')
      await page.click('#picture')
      const png = readFileSync(await (await picture).path())
      t.is(png.toString('latin1', 1, 4), 'PNG')
    })
  } finally {
    await end()
  }
})

inBrowser('a written page works by itself, in the dark and in a small window', async (t) => {
  const words = Array.from({ length: 60 }, (_, i) => `w${i}`)
  const weight = randn([60, 8], { generator: new Generator(2) })
  saveWord2Vec(file('words.bin'), words, weight, { binary: true })
  await output(t, ['explore', 'words.bin', '--projection', 'tsne', '--out', 'words.html', '--quiet'], { cwd: folder })
  const html = readFileSync(file('words.html'), 'utf8')
  t.false(/(?:src|href)="?https?:/.test(html))
  await opened(t, pathToFileURL(file('words.html')).href, true, async (page) => {
    t.is(await page.getAttribute('html', 'data-theme'), 'dark')
    t.deepEqual(await page.locator('#projection option').allTextContents(), ['PCA', 't-SNE'])
    const legend = await page.textContent('#legend')
    await page.fill('#search', 'w7')
    await page.keyboard.press('Enter')
    await page.waitForFunction(`document.getElementById('heading').textContent === 'Nearest to w7'`)
    const found = topK(weight.narrow(0, 7, 1), weight, { k: 16 })
    const names = await page.locator('#list button span').allTextContents()
    t.deepEqual(names, Array.from(found.ids.data as Int32Array, (id) => words[id]).slice(1))
    // Enter that is pressed before the rows are found is for them, and nothing comes after Escape.
    const type = (text: string, ...keys: string[]) =>
      page.evaluate(`{
        const search = document.getElementById('search')
        search.focus()
        search.value = '${text}'
        search.dispatchEvent(new Event('input'))
        for (const key of ${JSON.stringify(keys)})
          document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))
      }`)
    await type('w9', 'Enter')
    await page.waitForFunction(`document.getElementById('heading').textContent === 'Nearest to w9'`)
    await type('w8', 'Enter', 'Escape')
    await page.waitForTimeout(300)
    t.is(await page.textContent('#heading'), '')
    // Colours that are chosen just before a row are drawn.
    await type('w5')
    await page.waitForFunction(`document.getElementById('heading').textContent.endsWith('with w5')`)
    await page.evaluate(`{
      const color = document.getElementById('color')
      color.selectedIndex = (color.selectedIndex + 1) % color.options.length
      color.dispatchEvent(new Event('change'))
      document.querySelector('#list button').click()
    }`)
    await page.waitForFunction(`document.getElementById('heading').textContent === 'Nearest to w5'`)
    await page.waitForSelector('#busy', { state: 'hidden' })
    t.not(await page.textContent('#legend'), legend)
    await page.setViewportSize({ width: 400, height: 640 })
    await page.keyboard.press('Escape')
    await page.keyboard.press('0')
    t.true((await inked(page)) > 300)
    const [panel, stage] = await Promise.all(
      ['#panel', '#stage'].map(async (id) => (await page.locator(id).boundingBox())!),
    )
    t.true(panel.width === 400 && stage.width === 400 && stage.height > 250 && panel.y >= stage.height - 1)
  })
})

test('a model is drawn by its counts', async (t) => {
  const weight = randn([4, 3], { generator: new Generator(1) })
  saveModel(file('model'), {
    objective: 'cbow',
    tensors: { 'token.weight': weight },
    vocabulary: ['a', 'b', 'c', 'd'],
    counts: [1, 7, 3, 7],
  })
  const { url, end } = await served(t, 'model', '--limit', '3')
  const { body } = await get(`${url}data`)
  const head = headOf(body)
  const at = 4 + body.readUInt32LE(0)
  const [from, to] = head.sections.names
  t.is(body.toString('utf8', at + from, at + to), 'b\nd\nc')
  t.deepEqual(head.notes, ['the 3 most frequent of 4 words (--limit)'])
  t.is(head.columns[head.color].name, 'count')
  await end()
})
