// Saves over a file until it is killed: node saves.js save|stream path

import { full, saveNpy, saveSafetensors, TensorWriter } from '../../index.js'

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

for (let value = 1; ; value++) {
  ;(how === 'stream' ? stream : save)(value)
  if (value === 1) process.stdout.write('saved')
}
