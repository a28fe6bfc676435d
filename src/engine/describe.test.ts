import { describe as suite, expect, test } from 'vitest'
import { describe } from './describe.ts'

const models = (...data: unknown[]): string => JSON.stringify({ object: 'list', data })
const UNKNOWN = { can: [], cannot: [], contextLength: null }

suite('an engine’s word on its model', () => {
  test('vLLM tells the length', () => {
    const list = models({ id: 'a', max_model_len: 10 }, { id: 'm', max_model_len: 32_768 })
    expect(describe(list, 'm', null)).toEqual({ ...UNKNOWN, contextLength: 32_768 })
  })

  test('ours tells what it can and cannot do besides', () => {
    const abilities = { can: ['chat', 'tools'], cannot: ['vision'] }
    expect(describe(models({ id: 'm', max_model_len: 4096, abilities }), 'm', null)).toEqual({
      ...abilities,
      contextLength: 4096,
    })
  })

  test('llama-server tells in its other document what it was started with, not what the model was made for', () => {
    const list = models({ id: 'file.gguf', meta: { n_ctx_train: 131_072 } })
    const props = JSON.stringify({
      default_generation_settings: { n_ctx: 8192 },
      modalities: { vision: true, audio: false },
    })
    expect(describe(list, 'm', props)).toEqual({ can: ['vision'], cannot: ['audio'], contextLength: 8192 })
  })

  test.each([
    ['no JSON', '<html>', '<html>'],
    ['other shapes', '[1]', '"x"'],
    ['other models', models({ id: 'a', max_model_len: 1 }, { id: 'b' }), '{}'],
    ['lies about types', models({ id: 'm', max_model_len: '9', abilities: { can: 'chat' } }), '{"modalities":[true]}'],
    ['nulls', models(null), 'null'],
  ])('%s tell nothing', (_, list, props) => {
    expect(describe(list, 'm', props)).toEqual(UNKNOWN)
  })
})
