/** What is no model, or no runtime that we know, is refused before any of it runs. */
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { create } from 'tar'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadOnnxRuntime, type OnnxRuntime } from './onnx-runtime.ts'
import { loadSpeechModel } from './speech-model.ts'
import { unpack } from './unpack.ts'

let dir: string
beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'cocoon-speech-'))))
afterAll(() => rmSync(dir, { recursive: true }))

async function archive(name: string, files: Readonly<Record<string, string>>, gzip = true): Promise<string> {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name, 'package', path)), { recursive: true })
    writeFileSync(join(dir, name, 'package', path), content)
  }
  const file = join(dir, `${name}.tgz`)
  await create({ gzip, cwd: join(dir, name), file }, ['package'])
  return file
}
const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')
const unusable = (says: RegExp): object =>
  expect.objectContaining({ code: 'engine.model-unusable', message: expect.stringMatching(says) as string }) as object

test.each([true, false])(
  'wanted files come out as they went in, compressed or not (%s), and others do not',
  async (gzip) => {
    const path = await archive(`plain-${gzip}`, { 'a.json': 'A', 'sub/b.json': 'B', 'c.bin': 'C' }, gzip)
    const files = await unpack(readFileSync(path), (name) => name.endsWith('.json'))
    expect([...files].map(([name, bytes]) => [name, Buffer.from(bytes).toString()])).toEqual([
      ['a.json', 'A'],
      ['sub/b.json', 'B'],
    ])
  },
)

test('a runtime with another hash is not run, whatever is in it', async () => {
  const marker = join(dir, 'was-run')
  const module = `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(marker)}, '')`
  const files = { 'dist/ort.wasm.bundle.min.mjs': module, 'dist/ort-wasm-simd-threaded.wasm': '' }
  const path = await archive('other-runtime', files)
  await expect(loadOnnxRuntime(path, '0'.repeat(64))).rejects.toEqual(
    unusable(/SHA-256 is [0-9a-f]{64}, expected 0{64}/),
  )
  expect(() => readFileSync(marker)).toThrowError('ENOENT')
})

test('a runtime that lacks its files, and one that is not there, say so', async () => {
  const path = await archive('empty-runtime', { 'package.json': '{}' })
  await expect(loadOnnxRuntime(path, sha256(path))).rejects.toEqual(unusable(/has no dist\/ort/))
  await expect(loadOnnxRuntime(join(dir, 'nowhere'), '')).rejects.toEqual(unusable(/cannot be read/))
})

const CONFIG = JSON.stringify({ num_mel_bins: 80, d_model: 4, decoder_attention_heads: 2, max_target_positions: 448 })
const MODEL = {
  'config.json': CONFIG,
  'generation_config.json': '{}',
  'tokenizer.json': '{}',
  'onnx/encoder_model_quantized.onnx': '',
  'onnx/decoder_model_merged_quantized.onnx': '',
}
const without = (name: keyof typeof MODEL): Record<string, string> => {
  const { [name]: _, ...rest } = MODEL
  return rest
}

test.each<readonly [string, Readonly<Record<string, string>>, RegExp]>([
  ['no-config', without('config.json'), /has no config\.json/],
  ['no-decoder', without('onnx/decoder_model_merged_quantized.onnx'), /has no onnx\/decoder/],
  ['other-config', { ...MODEL, 'config.json': '{"model_type":"bert"}' }, /not that of a Whisper model/],
  ['other-tokenizer', MODEL, /no byte-level tokenizer/],
])('a model with %s is refused by what is wrong with it', async (name, files, says) => {
  const path = await archive(name, files)
  await expect(loadSpeechModel({} as OnnxRuntime, path)).rejects.toEqual(unusable(says))
})

test('a file that is no archive, and one that is cut off, are refused', async () => {
  const path = join(dir, 'no-archive.tgz')
  writeFileSync(path, 'no archive at all')
  await expect(loadSpeechModel({} as OnnxRuntime, path)).rejects.toEqual(unusable(/no archive that can be read/))
  const good = readFileSync(await archive('good', MODEL))
  writeFileSync(path, good.subarray(0, good.length / 2))
  await expect(loadSpeechModel({} as OnnxRuntime, path)).rejects.toEqual(unusable(/no archive that can be read/))
})
