// Files of PyTorch, as torch.save writes them.

import { resolve } from 'node:path'
import { call, native } from '../native/native.js'
import { LoadedTensorMap, storedTensors, type LoadedTensors } from './loaded-tensors.js'
import { checkMap } from './tensors.js'
import { NativeStorage } from '../memory/storage.js'
import { bytesOf } from '../ops/elements.js'
import { Tensor } from '../tensor/tensor.js'
import { checkOptions, checkPath, type FilePath } from '../base/validate.js'

/**
 * Loads the tensors of a file that `torch.save` wrote (`.bin`, `.pt`, `.pth`): a state dict, a checkpoint of
 * dictionaries, lists and tuples, or one tensor. Names are the keys that lead to a tensor, joined by dots, and the
 * places in lists: `model.wte.weight`, `losses.3`; a tensor alone has the name ''. Other values (numbers, texts) are
 * left out.
 *
 * Such a file contains a pickle, which is a program. It is read by a machine that knows the opcodes and the few names
 * that tensors need, and can run nothing: a file that asks for anything else is refused, with the name and the byte.
 *
 * Tensors are mapped or read as by `loadSafetensors`. Those of the same elements (tied weights) share them, as in
 * PyTorch. Others than contiguous ones are copied in the order of their shape, and int16 goes to int32, which holds
 * all its values. Complex and quantized tensors are in `skipped`, and `get` of their names throws a DTypeError.
 *
 * @throws FileError if the file cannot be opened or read; FormatError, with the byte, if it is not such a file, if it was
 * written before PyTorch 1.6 (the message says how to convert it), if it is damaged, if its pickle asks for anything
 * but tensors, and for a tensor that repeats its elements (`expand`).
 */
export function loadTorch(path: FilePath, options?: { map?: boolean }): LoadedTensors {
  const where = 'loadTorch'
  const file = resolve(checkPath(path, where))
  const { map } = checkOptions(options, ['map'], where)
  checkMap(map, where)
  const { parts, tensors, skipped } = call(native.loadTorch(file, map))
  const storages: NativeStorage[] = []
  const named = tensors.map(({ name, shape, part }): [string, Tensor] => {
    const { dtype, handle, mapped } = parts[part]
    const storage = (storages[part] ??= new NativeStorage(handle, bytesOf(dtype, shape), mapped))
    return [name, Tensor.over(storage, dtype, shape)]
  })
  return new LoadedTensorMap(file, named, storedTensors(skipped), {})
}
