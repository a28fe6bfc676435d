/** Writes GGUF version 3 files: just enough for the models that tests generate. Layout: the format's public description. */

export type GgufValue =
  | { readonly type: 'u32' | 'i32' | 'f32'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'f32s' | 'i32s'; readonly value: readonly number[] }

export interface GgufTensor {
  readonly name: string
  /** Innermost dimension first, as the format has it. */
  readonly dims: readonly number[]
  readonly values: Float32Array
}

const TYPE_ID = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8 } as const
const ARRAY_ID = 9
const VERSION = 3
const TENSOR_F32 = 0
/** Tensors start at multiples of this; it is the format's default. */
const ALIGNMENT = 32

/** The whole file. Token strings must be unique: llama.cpp ends the process when two are equal. */
export function encodeGguf(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensor[]): Uint8Array {
  const entries = Object.entries(metadata)
  const head: Uint8Array[] = [Buffer.from('GGUF'), u32(VERSION), u64(tensors.length), u64(entries.length)]
  for (const [key, value] of entries) head.push(string(key), ...encodeValue(value))
  let offset = 0
  for (const tensor of tensors) {
    head.push(string(tensor.name), u32(tensor.dims.length), ...tensor.dims.map(u64), u32(TENSOR_F32), u64(offset))
    offset += aligned(tensor.values.byteLength)
  }
  const body = tensors.map(({ values }) => padded(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)))
  return Buffer.concat([padded(Buffer.concat(head)), ...body])
}

function encodeValue(value: GgufValue): readonly Uint8Array[] {
  switch (value.type) {
    case 'u32':
    case 'i32':
    case 'f32':
      return [u32(TYPE_ID[value.type]), number(value.type, value.value)]
    case 'bool':
      return [u32(TYPE_ID.bool), Uint8Array.of(value.value ? 1 : 0)]
    case 'string':
      return [u32(TYPE_ID.string), string(value.value)]
    case 'strings':
      return [u32(ARRAY_ID), u32(TYPE_ID.string), u64(value.value.length), ...value.value.map(string)]
    case 'f32s':
    case 'i32s': {
      const type = value.type === 'f32s' ? 'f32' : 'i32'
      return [u32(ARRAY_ID), u32(TYPE_ID[type]), u64(value.value.length), ...value.value.map((n) => number(type, n))]
    }
  }
}

function number(type: 'u32' | 'i32' | 'f32', value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  if (type === 'f32') bytes.writeFloatLE(value)
  else if (type === 'i32') bytes.writeInt32LE(value)
  else bytes.writeUInt32LE(value)
  return bytes
}

const u32 = (value: number): Uint8Array => number('u32', value)

function u64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

const string = (text: string): Uint8Array => Buffer.concat([u64(Buffer.byteLength(text)), Buffer.from(text)])
const aligned = (size: number): number => Math.ceil(size / ALIGNMENT) * ALIGNMENT
const padded = (bytes: Uint8Array): Uint8Array =>
  Buffer.concat([bytes, Buffer.alloc(aligned(bytes.length) - bytes.length)])
