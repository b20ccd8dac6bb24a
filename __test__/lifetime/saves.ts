// Saves over a file or a model until the process is killed: node saves.js save|stream|model path

import { full, saveModel, saveNpy, saveSafetensors, TensorWriter } from '../../index.js'

const [how, path] = process.argv.slice(2)

function stream(value: number): void {
  const writer = new TensorWriter(path, { x: { dtype: 'int32', shape: [1000] } })
  const rows = full([100, 1000], value, { dtype: 'int32' })
  for (let i = 0; i < 3; i++) writer.write('x', rows)
  writer.close()
}

function save(value: number): void {
  const x = full([300, 1000], value, { dtype: 'int32' })
  if (path.endsWith('.npy')) saveNpy(path, x)
  else saveSafetensors(path, { x })
}

/** Every part of it depends on the number. */
function model(value: number): void {
  const number = value % 7
  const words = Array.from({ length: 1000 + number }, (_, i) => `${i}-${number}`)
  saveModel(path, {
    objective: 'x',
    tensors: { 'token.weight': full([words.length, 50], number) },
    vocabulary: words,
    counts: words.map(() => number),
    training: { number },
  })
}

const ways: Record<string, (value: number) => void> = { stream, save, model }
for (let value = 1; ; value++) {
  ways[how](value)
  if (value === 1) process.stdout.write('saved')
}
