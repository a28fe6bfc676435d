import http from 'node:http'
import { expect, test } from 'vitest'
import { createRecordingLog } from '../../test/support/recording-log.ts'
import { apiUnderTest } from './api-under-test.ts'
import { scriptedInference } from './scripted-inference.ts'

test('a caller that leaves while proxies are asked for their models is no fault of ours', async () => {
  const log = createRecordingLog()
  const asked = Promise.withResolvers<void>()
  const left = Promise.withResolvers<void>()
  const inference = {
    ...scriptedInference(),
    models: (signal?: AbortSignal) =>
      new Promise<never>((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          reject(signal.reason as Error)
          left.resolve()
        })
        asked.resolve()
      }),
  }
  const api = apiUnderTest({ deps: { inference }, log })
  const request = http.get(`${await api.listen()}/v1/models`)
  request.on('error', () => undefined)
  await asked.promise
  request.destroy()
  await left.promise
  await new Promise((resolve) => setImmediate(resolve))
  await api.close()
  expect(log.lines).toEqual([expect.stringMatching(/^debug request refused .*request\.hung-up/s)])
})
