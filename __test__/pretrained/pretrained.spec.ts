import test from 'ava'
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  Embedding,
  loadPretrained,
  loadSafetensors,
  saveSafetensors,
  scope,
  SGD,
  Tensor,
  TokenPositionEmbedding,
  zeros,
  type Pretrained,
} from '../../index.js'
import { digest } from '../support/compare.js'
import { refuses } from '../support/errors.js'
import { readGolden, root } from '../support/golden.js'
import { temporaryFolder } from '../support/temporary.js'

const golden = join(root, 'testdata/golden/pretrained')
const expected = loadSafetensors(join(golden, 'expected.safetensors'))
const folders = readdirSync(golden).filter((name) => expected.has(`${name}.ids`))
const folder = temporaryFolder()
let number = 0

/** A copy of a model folder whose config is changed. */
function changed(name: string, change: (config: Record<string, unknown>) => void): string {
  const path = join(folder, `${name}-${number++}`)
  cpSync(join(golden, name), path, { recursive: true })
  const config = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8'))
  change(config)
  writeFileSync(join(path, 'config.json'), JSON.stringify(config))
  return path
}

/** A folder of these tensors and this config. */
function made(tensors: Record<string, Tensor>, config: unknown): string {
  const path = join(folder, `made-${number++}`)
  mkdirSync(path)
  saveSafetensors(join(path, 'model.safetensors'), tensors)
  writeFileSync(join(path, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config))
  return path
}

/** The largest difference of two tensors' elements. */
function difference(a: Tensor, b: Tensor): number {
  const [x, y] = [a.to('float32').data, b.to('float32').data]
  if (x.length !== y.length) return Infinity
  let most = 0
  for (let i = 0; i < x.length; i++) most = Math.max(most, Math.abs(Number(x[i]) - Number(y[i])))
  return most
}

test('the input layer of every family has the numbers that reach the first block of the model', (t) => {
  t.true(folders.length >= 60, `${folders.length}`)
  for (const name of folders) {
    const model = loadPretrained(join(golden, name))
    const wanted = expected.get(`${name}.wide`) ?? expected.get(`${name}.input`)
    if (wanted === undefined || name === 'marian') continue
    const layer = model.layer()
    const got = layer.forward(expected.get(`${name}.ids`)!)
    // Gemma's factor is rounded to the type of the weights, and results in bfloat16 are.
    const isNarrow = name === 'gemma-bf16' || name === 'llama-bf16'
    const same = isNarrow ? expected.get(`${name}.input`)! : wanted
    t.true(difference(isNarrow ? got.to('bfloat16') : got, same) <= 1e-6, name)
    t.is(
      layer.parameters().some((parameter) => parameter.requiresGrad),
      false,
      name,
    )
  }
})

test('what a model does that the layer does not is named', (t) => {
  const said = Object.fromEntries(
    folders
      .map((name) => [name, loadPretrained(join(golden, name)).notRun] as const)
      .filter(([, { length }]) => length),
  )
  t.deepEqual(Object.keys(said).sort(), ['albert', 'electra-small', 'gemma3n-text', 'marian', 'opt-350m'])
  t.regex(said['gemma3n-text'].join(), /embed_tokens_per_layer.*altup_projections/)
  t.regex(said.albert[0], /embedding_hidden_mapping_in.*8 to 16/)
  t.regex(said['electra-small'][0], /embeddings_project.*8 to 16/)
  t.regex(said.marian[0], /sinusoids/)
  t.regex(said['opt-350m'][0], /project_in.*8 to 16/)
  t.regex(said['opt-350m'][1], /embed_positions.*16 numbers/)
})

test('a silent config means what it means to Transformers', (t) => {
  const tied = readGolden<Record<string, boolean>>('pretrained/tied.json')
  for (const name of folders) {
    const path = changed(name, (config) => {
      delete config.tie_word_embeddings
      delete (config.text_config as Record<string, unknown> | undefined)?.tie_word_embeddings
    })
    const { family, tied: found } = loadPretrained(path)
    t.is(found, tied[family], name)
  }
})

test('parts are the tensors of the files', (t) => {
  const bert = loadPretrained(join(golden, 'bert'))
  t.is(bert.family, 'bert')
  const of = (name: string) => digest(bert.tensors.get(`bert.embeddings.${name}`)! as Tensor)
  t.is(digest(bert.token as Tensor), of('word_embeddings.weight'))
  t.is(digest(bert.position!), of('position_embeddings.weight'))
  t.is(digest(bert.segment!), of('token_type_embeddings.weight'))
  t.is(digest(bert.layerNorm!.weight), of('LayerNorm.weight'))
  t.is(digest(bert.layerNorm!.bias), of('LayerNorm.bias'))
  t.is(bert.layerNorm!.eps, 1e-12)
  t.true(bert.tied)
  t.is(bert.head, bert.token)
  t.is<unknown, unknown>(bert.token, bert.tensors.get('bert.embeddings.word_embeddings.weight'))
  t.is(bert.tokenizer, null)
  t.is((bert.config as { hidden_size: number }).hidden_size, 16)

  const llama = loadPretrained(join(golden, 'llama'))
  t.false(llama.tied)
  t.is<unknown, unknown>(llama.head, llama.tensors.get('lm_head.weight'))
  t.deepEqual([llama.position, llama.segment, llama.layerNorm], [null, null, null])

  const gpt2 = loadPretrained(join(golden, 'gpt2'))
  t.deepEqual([...gpt2.tokenizer!.encode('the whale')], [1, 2])
  t.is(gpt2.tokenizer, gpt2.tokenizer)
  t.is(
    loadPretrained(join(golden, 'modernbert')).layerNorm!.bias.toArray().toString(),
    zeros([16]).toArray().toString(),
  )
})

test('several files, files of PyTorch and old names give the same model', (t) => {
  const one = loadPretrained(join(golden, 'gpt2'))
  for (const name of ['gpt2-shards', 'gpt2-bin', 'gpt2-bin-shards']) {
    const other = loadPretrained(join(golden, name))
    t.is(digest(other.token as Tensor), digest(one.token as Tensor), name)
    t.is(digest(other.position!), digest(one.position!), name)
    for (const key of one.tensors.keys())
      t.is(digest(other.tensors.get(key) as Tensor), digest(one.tensors.get(key) as Tensor), `${name}: ${key}`)
  }
  const old = loadPretrained(join(golden, 'bert-old'))
  t.is(digest(old.layerNorm!.weight), digest(loadPretrained(join(golden, 'bert')).layerNorm!.weight))
})

test('tensors are a map by name, each loaded when it is asked for', (t) => {
  for (const name of ['gpt2', 'gpt2-shards', 'gpt2-bin']) {
    const { tensors } = loadPretrained(join(golden, name))
    const keys = [...tensors.keys()]
    t.is(tensors.size, keys.length)
    t.true(tensors.has('transformer.wte.weight'))
    t.false(tensors.has('__proto__') || tensors.has('constructor'))
    t.is(tensors.get('none'), undefined)
    t.deepEqual(
      [...tensors].map(([key]) => key),
      keys,
    )
    t.true([...tensors.values()].every((tensor) => tensor instanceof Tensor))
    const seen: string[] = []
    tensors.forEach((_, key, map) => {
      t.is(map, tensors)
      seen.push(key)
    })
    t.deepEqual(seen, keys)
  }
})

test('scales are rounded as the models round them', (t) => {
  t.is(loadPretrained(join(golden, 'gemma-bf16')).scale, 4.90625)
  const wide = loadPretrained(join(golden, 'gemma-bf16'), { dtype: 'float32' })
  t.is(wide.scale, Math.fround(Math.sqrt(24)))
  t.is(difference(wide.layer().forward(expected.get('gemma-bf16.ids')!), expected.get('gemma-bf16.wide')!), 0)
  t.is(loadPretrained(join(golden, 'granite')).scale, 12)
  t.is(loadPretrained(join(golden, 'mbart')).scale, 4)
  t.is(loadPretrained(join(golden, 'bart')).scale, 1)
  t.is(loadPretrained(join(golden, 'llama')).scale, 1)
})

test('a type that is asked for is the type of the tables', (t) => {
  const model = loadPretrained(join(golden, 'bert'), { dtype: 'float16' })
  const { token, position, segment, layerNorm, head } = model
  for (const one of [token as Tensor, position!, segment!, layerNorm!.weight, layerNorm!.bias, head as Tensor])
    t.is(one.dtype, 'float16')
  t.is((model.tensors.get('bert.embeddings.word_embeddings.weight') as Tensor).dtype, 'float32')
  t.is((loadPretrained(join(golden, 'llama-bf16')).token as Tensor).dtype, 'bfloat16')
  t.is(loadPretrained(join(golden, 'gptj'), { dtype: 'float64' }).layer().parameters()[0].dtype, 'float32')
  refuses(t, () => loadPretrained(join(golden, 'bert'), { dtype: 'float8' as never }), 'DTYPE')
  refuses(t, () => loadPretrained(join(golden, 'bert'), { dtype: 'int8' }), 'DTYPE', 'int8')
  refuses(t, () => loadPretrained(join(golden, 'bert'), { type: 'x' } as never), 'USAGE', 'type')
})

/** One step of training on a layer. */
function learn(model: Pretrained, t: { true(value: boolean, message?: string): void }): void {
  const layer = model.layer({ freeze: false })
  const before = layer.parameters().map((parameter) => digest(parameter))
  const optimizer = new SGD(layer.parameters(), { lr: 0.1 })
  const out = layer.forward([[3, 4, 5]])
  out.mul(out).sum().backward()
  optimizer.step()
  const after = layer.parameters().map((parameter) => digest(parameter))
  for (const [i, was] of before.entries()) t.true(after[i] !== was, `${model.family}: parameter ${i}`)
}

test('layers learn where they are told to', (t) => {
  for (const name of ['gpt2', 'bert', 'roberta', 'opt', 't5', 'llama', 'gemma', 'bloom', 'modernbert', 'gpt2-f16'])
    learn(loadPretrained(join(golden, name)), t)
  t.true(loadPretrained(join(golden, 't5')).layer() instanceof Embedding)
  t.true(loadPretrained(join(golden, 'gpt2')).layer() instanceof TokenPositionEmbedding)
  refuses(t, () => loadPretrained(join(golden, 't5')).layer({ freeze: 1 as never }), 'USAGE', 'freeze')
  // The file stays as it was, whatever was learned.
  t.is(
    digest(loadPretrained(join(golden, 'bert')).position!),
    digest(loadPretrained(join(golden, 'bert-old')).position!),
  )
})

test('the row of padding learns nothing', (t) => {
  const model = loadPretrained(join(golden, 'bert'))
  const layer = model.layer({ freeze: false })
  layer
    .forward([[2, 3]])
    .sum()
    .backward()
  const grad = (layer as TokenPositionEmbedding).token.weight.grad as Tensor
  t.is(difference(grad.narrow(0, 2, 1), zeros([1, 16])), 0)
})

test('positions begin where the model begins them', (t) => {
  const opt = loadPretrained(join(golden, 'opt'))
  const layer = opt.layer() as TokenPositionEmbedding
  const ids = [[3, 4, 5, 6]]
  const plain = layer.forward(ids)
  t.is(difference(layer.forward(ids, { positions: [2, 3, 4, 5] }), plain), 0)
  t.is(difference(layer.forward([[3]], { positionOffset: 3 }), layer.forward([[3]], { positions: [5] })), 0)
  // Padding on the left has the row before the first, as in OPT.
  const masked = layer.forward(ids, { mask: [[0, 0, 1, 1]] })
  t.is(difference(masked, layer.forward(ids, { positions: [1, 1, 2, 3] })), 0)
  const ragged = layer.forward({ values: [3, 4, 5], offsets: [0, 1, 3] })
  t.is(difference(ragged, layer.forward([3, 4, 5], { positions: [2, 2, 3] })), 0)
  refuses(t, () => layer.forward([[...Array(25).keys()]]), 'SHAPE', 'from position 2')
  t.notThrows(() => layer.forward([[...Array(24).keys()]]))
})

test('a family that is not known is opened by shape, and says so', (t) => {
  const config = { model_type: 'new', vocab_size: 10 }
  const model = loadPretrained(made({ 'a.weight': zeros([10, 4]), b: zeros([10]), c: zeros([4, 10]) }, config))
  t.deepEqual(model.token.shape, [10, 4])
  t.true(model.layer() instanceof Embedding)
  t.regex(model.notRun[0], /"new" is not known/)
  const headed = loadPretrained(made({ 'a.weight': zeros([10, 4]), 'lm_head.weight': zeros([10, 4]) }, config))
  t.false(headed.tied)
  t.deepEqual(headed.head!.shape, [10, 4])
  const two = made({ 'a.weight': zeros([10, 4]), 'b.weight': zeros([10, 4]) }, config)
  refuses(t, () => loadPretrained(two), 'USAGE', '"a.weight" and "b.weight"', two)
  refuses(t, () => loadPretrained(made({ x: zeros([9, 4]) }, config)), 'USAGE', 'no tensor has the 10 rows')
  refuses(t, () => loadPretrained(made({ x: zeros([9, 4]) }, {})), 'USAGE', 'no vocab_size')
  const tables = { 'x.embed_tokens.weight': zeros([9, 4]), 'y.embed_tokens.weight': zeros([9, 4]) }
  refuses(t, () => loadPretrained(made(tables, { model_type: 'llama' })), 'USAGE', '"x.embed_tokens.weight" and')
})

test('tables that a model has for its blocks are not its input', (t) => {
  const tensors = { 'model.embed_tokens.weight': zeros([9, 4]), 'model.layers.61.embed_tokens.weight': zeros([9, 4]) }
  t.is(loadPretrained(made(tensors, { model_type: 'deepseek_v3' })).token.shape[0], 9)
})

test('scopes and disposals do not reach the parts', (t) => {
  const model = loadPretrained(join(golden, 'bert'), { dtype: 'float16' })
  scope(() => void [model.token, model.layerNorm, model.tensors.get('bert.embeddings.LayerNorm.weight')])
  t.false((model.token as Tensor).disposed)
  const { token } = model
  ;(token as Tensor).dispose()
  t.not(model.token, token)
  t.is(difference(model.token as Tensor, loadPretrained(join(golden, 'bert')).token as Tensor) < 0.01, true)
})

test('folders that are not whole say what is missing', (t) => {
  const empty = join(folder, 'empty')
  mkdirSync(empty)
  refuses(t, () => loadPretrained(empty), 'FILE', 'config.json')
  writeFileSync(join(empty, 'config.json'), '{"model_type":"gpt2"}')
  refuses(t, () => loadPretrained(empty), 'FILE', 'no model.safetensors', 'no pytorch_model.bin', empty)
  writeFileSync(join(empty, 'x.gguf'), '')
  refuses(t, () => loadPretrained(empty), 'FILE', 'x.gguf')
  refuses(t, () => loadPretrained(join(folder, 'none')), 'FILE', 'none')
  refuses(t, () => loadPretrained(join(golden, 'tied.json')), 'FILE', 'a folder with a config.json')
  const lacking = made({ 'wte.weight': zeros([9, 4]) }, { model_type: 'gpt2' })
  refuses(t, () => loadPretrained(lacking), 'FORMAT', 'wpe.weight', lacking)
  const shape = made({ 'wte.weight': zeros([9]), 'wpe.weight': zeros([9, 4]) }, { model_type: 'gpt2' })
  refuses(t, () => loadPretrained(shape), 'FORMAT', '(rows, dim)')
  const rows = made({ 'wte.weight': zeros([9, 4]), 'wpe.weight': zeros([9, 4]) }, { model_type: 'gpt2', vocab_size: 8 })
  refuses(t, () => loadPretrained(rows), 'FORMAT', '8 tokens')
  const ints = made({ 'wte.weight': zeros([9, 4], { dtype: 'int8' }) }, { model_type: 'gptj' })
  refuses(t, () => loadPretrained(ints), 'DTYPE', 'wte.weight')
  for (const config of ['', '{', '[]', 'null', '"x"', '{"model_type":'])
    refuses(t, () => loadPretrained(made({ 'wte.weight': zeros([9, 4]) }, config)), 'FORMAT', 'config.json')
})

test('an index that lies is refused', (t) => {
  const path = join(folder, 'index')
  cpSync(join(golden, 'gpt2-shards'), path, { recursive: true })
  const index = join(path, 'model.safetensors.index.json')
  const text = readFileSync(index, 'utf8')
  const [shard] = readdirSync(path).filter((name) => name.endsWith('.safetensors'))
  const holding = JSON.parse(text).weight_map['transformer.wte.weight']
  const say = (change: (map: Record<string, unknown>) => void) => {
    const value = JSON.parse(text)
    change(value.weight_map)
    writeFileSync(index, JSON.stringify(value))
    return () => loadPretrained(path)
  }
  t.is(loadPretrained(path).token.shape[0], 40)
  for (const file of ['../x.safetensors', '/etc/passwd', '..', 'a/b', 'a\\b', '', 5, null, ['x'], 'c:x', 'a\0b'])
    refuses(
      t,
      say((map) => (map.x = file)),
      'FORMAT',
      'no name of a file',
      index,
    )
  refuses(
    t,
    say((map) => (map['transformer.wte.weight'] = 'gone.safetensors')),
    'FILE',
    'gone.safetensors',
  )
  const other = holding === shard ? 'model-00002-of-00004.safetensors' : shard
  refuses(
    t,
    say((map) => (map['transformer.wte.weight'] = other)),
    'FORMAT',
    'is not in it',
    other,
  )
  for (const value of ['{}', '{"weight_map":[]}', '{"weight_map":5}', '[', '{"weight_map":{'.repeat(100_000)]) {
    writeFileSync(index, value)
    refuses(t, () => loadPretrained(path), 'FORMAT', index)
  }
  t.true(statSync(index).isFile())
})
