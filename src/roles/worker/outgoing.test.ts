import { expect, test } from 'vitest'
import {
  constructorId,
  decode,
  decodeIfKnown,
  httpResponse,
  proxyQueryAnswerEx,
  workerToProxyMessages,
  x1WorkerAnswer,
} from '../../tl/index.ts'
import type { Connection } from '../../transport/index.ts'
import { manualClock, utf8 } from '../../util/index.ts'
import type { Final } from './answers.ts'
import { Outgoing } from './outgoing.ts'

const FINAL: Final = {
  tokens: { prompt: 1n, cached: 0n, completion: 2n, reasoning: 0n, total: 3n },
  start: 1,
  end: 2,
}
const HEADERS = [['content-type', 'text/event-stream']] as const

function outgoing({ extended = true, version = 4 } = {}) {
  const sent: Uint8Array[] = []
  const connection = {
    peer: { extended },
    send: (bytes: Uint8Array) => void sent.push(bytes.slice()),
  } as unknown as Connection
  const out = new Outgoing(connection, manualClock(), { requestId: new Uint8Array(32), version, debug: false }, 1)
  const kinds = (): string[] =>
    sent.map((bytes) =>
      constructorId(bytes) === x1WorkerAnswer.id ? 'whole' : (decodeIfKnown(workerToProxyMessages, bytes)?._ ?? '?'),
    )
  return { out, sent, kinds }
}

test('an answer that is there at once leaves as one message, body and terminator joined', () => {
  const { out, sent, kinds } = outgoing()
  out.head(200, HEADERS)
  out.part(utf8('data: 1\n\n'))
  out.end(utf8('data: [DONE]\n\n'), FINAL)
  expect(kinds()).toEqual(['whole'])
  const { head, body, finalInfo } = decode(x1WorkerAnswer, sent[0] as Uint8Array)
  expect(Buffer.from(body).toString()).toBe('data: 1\n\ndata: [DONE]\n\n')
  expect(finalInfo).toMatchObject({ tokensUsed: { totalTokensUsed: 3n }, workerStartTime: 1, workerEndTime: 2 })
  const response = decode(httpResponse, head)
  expect(response).toMatchObject({ statusCode: 200, payload: new Uint8Array() })
  expect(response.headers.map(({ name }) => name)).toEqual(['content-type', 'Transfer-Encoding'])
})

test('what waits leaves when the turn is over, and the end follows in a message of its own', async () => {
  const { out, sent, kinds } = outgoing()
  out.head(200, HEADERS)
  out.part(utf8('a'))
  expect(kinds()).toEqual([])
  await Promise.resolve()
  expect(kinds()).toEqual(['proxy.queryAnswerEx', 'proxy.queryAnswerPartEx'])
  out.end(utf8('b'), FINAL)
  expect(kinds()).toHaveLength(3)
  const { headers } = decode(httpResponse, decode(proxyQueryAnswerEx, sent[0] as Uint8Array).answer)
  expect(headers.map(({ name }) => name)).toContain('X-Cocoon-Worker-Start')
})

test('a second part in the same turn sends everything in its order', () => {
  const { out, kinds } = outgoing()
  out.head(200, HEADERS)
  out.part(utf8('a'))
  out.part(utf8('b'))
  expect(kinds()).toEqual(['proxy.queryAnswerEx', 'proxy.queryAnswerPartEx', 'proxy.queryAnswerPartEx'])
})

test('a failure comes behind what waited', () => {
  const { out, kinds } = outgoing()
  out.head(200, HEADERS)
  out.fail({ code: 650, message: 'worker: no' }, FINAL, true)
  expect(kinds()).toEqual(['proxy.queryAnswerEx', 'proxy.queryAnswerErrorEx'])
})

test.each([
  { extended: false, version: 4, family: 'Ex' },
  { extended: true, version: 0, family: '' },
])('a peer with $extended extension at version $version gets three messages', ({ extended, version, family }) => {
  const { out, kinds } = outgoing({ extended, version })
  out.head(200, HEADERS)
  out.part(utf8('a'))
  out.end(utf8('b'), FINAL)
  const part = `proxy.queryAnswerPart${family}`
  expect(kinds()).toEqual([`proxy.queryAnswer${family}`, part, part])
})
