/**
 * ONNX Runtime, compiled to WebAssembly: what of it is used, and how it comes from its package into this process. The package is code,
 * so its bytes are compared with the pinned hash at every start, not only when it was downloaded.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { CocoonError } from '../../util/index.ts'
import { unpack } from './unpack.ts'

/** For one model at a time; the rest of the package is for browsers. */
const MODULE = 'dist/ort.wasm.bundle.min.mjs'
const PROGRAM = 'dist/ort-wasm-simd-threaded.wasm'

export interface Tensor {
  readonly data: Float32Array | BigInt64Array | Uint8Array
  readonly dims: readonly number[]
}

export interface Session {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  run(inputs: Readonly<Record<string, Tensor>>, outputs: readonly string[]): Promise<Readonly<Record<string, Tensor>>>
}

export interface OnnxRuntime {
  readonly Tensor: new (type: 'float32' | 'int64' | 'bool', data: Tensor['data'], dims: readonly number[]) => Tensor
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> }
  readonly env: { logLevel: string; readonly wasm: { numThreads: number; wasmBinary: Uint8Array } }
}

/** @param path the package's tarball @param sha256 hex, of the whole file. Throws `engine.model-unusable` */
export async function loadOnnxRuntime(path: string, sha256: string): Promise<OnnxRuntime> {
  const tarball = await readFile(path).catch((cause: unknown) => {
    throw unusableRuntime(path, 'it cannot be read', cause)
  })
  const found = createHash('sha256').update(tarball).digest('hex')
  if (found !== sha256) throw unusableRuntime(path, `its SHA-256 is ${found}, expected ${sha256}`)
  const files = await unpack(tarball, (name) => name === MODULE || name === PROGRAM)
  const [module, program] = [files.get(MODULE), files.get(PROGRAM)]
  if (module === undefined || program === undefined) throw unusableRuntime(path, `it has no ${MODULE} or ${PROGRAM}`)
  // From memory: what is run is what was hashed.
  const url = `data:text/javascript;base64,${Buffer.from(module).toString('base64')}`
  const runtime = (await import(url)) as OnnxRuntime
  runtime.env.logLevel = 'error'
  // A request has a thread for itself; places for more of them are more threads.
  runtime.env.wasm.numThreads = 1
  runtime.env.wasm.wasmBinary = program
  return runtime
}

const unusableRuntime = (path: string, why: string, cause?: unknown): CocoonError =>
  new CocoonError(
    'engine.model-unusable',
    {
      message: `The runtime of speech models at ${path} cannot be used: ${why}. Remove it (cocoon model rm onnxruntime-web) and start again.`,
      path,
    },
    { cause },
  )
