// What is special about files on Windows: lines that end with \r\n, names of more than 260 characters, names that are
// not ASCII, and files that are replaced. Prints one JSON object, the same on every system.
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  loadGlove,
  loadNpy,
  loadSafetensors,
  loadWord2Vec,
  saveNpy,
  saveSafetensors,
  tensor,
  Tokenizer,
} from 'tokenbed'

const folder = mkdtempSync(join(tmpdir(), 'tokenbed-windows-'))
const lines = (end) => ['a 1 0', 'b 1 1', 'c 0 2', ''].join(end)
const wordsOf = ({ words, weight }) => [[...words], weight.toArray()]

const same = (load, before) => {
  const [unix, windows] = ['\n', '\r\n'].map((end) => {
    const path = join(folder, `vectors-${end.length}.txt`)
    writeFileSync(path, `${before}${before && end}${lines(end)}`)
    return JSON.stringify(wordsOf(load(path)))
  })
  return unix === windows
}

const far = join(folder, ...Array.from({ length: 6 }, (_, i) => `${i}${'long'.repeat(15)}`), 'größe-東京')
mkdirSync(far, { recursive: true })
const [tensors, array] = [join(far, 'x.safetensors'), join(far, 'x.npy')]
saveSafetensors(tensors, { x: tensor([1, 2]) })
saveSafetensors(tensors, { x: tensor([3, 4]) })
saveNpy(array, tensor([5, 6]))
const text = readFileSync('crlf.txt', 'utf8')

console.log(
  JSON.stringify({
    glove: same(loadGlove, ''),
    word2vec: same(loadWord2Vec, '3 2'),
    long: far.length > 260,
    saved: [...loadSafetensors(tensors).get('x').data, ...loadNpy(array).data],
    left: readdirSync(far).sort(),
    crlf: [...Tokenizer.load('gpt2').encode(text)],
  }),
)
