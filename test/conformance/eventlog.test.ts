/** Event logs: the recorded one replays to the registers of the quote that was made beside it. */
import { expect, test } from 'vitest'
import { parseDcapQuote } from '../../src/tee/quote/index.ts'
import { EV_NO_ACTION, parseEventLog } from '../../src/tee/quote/eventlog.ts'
import { extendRegister, type Registers, replayEventLog, verifyEventLog } from '../../src/tee/quote/eventlog-replay.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { fromHex, toHex, utf8 } from '../../src/util/index.ts'
import { vectorBytes, vectorJson } from '../support/attestation-vectors.ts'

const { eventlogs } = vectorJson<{
  readonly eventlogs: readonly {
    readonly file: string
    readonly extendingEvents: number
    readonly bytesUsed: number
    readonly replayedRtmr: readonly [string, string, string, string]
  }[]
}>('eventlog.json')
const { sha384 } = nodeVerifyCrypto
const sha = (bytes: Uint8Array): Promise<Uint8Array> => Promise.resolve(sha384(bytes))

/** Registers of the quote, read by the quote's parser. */
function quoted(): Registers {
  const { body } = parseDcapQuote(vectorBytes('eventlog/cos113-quote.bin'))
  if (body.tee === 'sgx') throw new Error('not a TDX quote')
  return body.report.rtmrs
}

test.each(eventlogs)('$file replays to the recorded registers', async (one) => {
  const log = parseEventLog(vectorBytes(one.file))
  expect({ end: log.end, bytesUsed: log.bytesUsed }).toEqual({ end: 'terminator', bytesUsed: one.bytesUsed })
  const extending = log.events.filter((event) => event.register > 0 && event.type !== EV_NO_ACTION)
  expect(extending).toHaveLength(one.extendingEvents)
  expect((await replayEventLog(sha, log)).map(toHex)).toEqual(one.replayedRtmr)
})

test('the log verifies against its quote, register by register', async () => {
  const log = parseEventLog(vectorBytes('eventlog/cos113.ccel'))
  const result = await verifyEventLog(sha, log, quoted())
  expect(result.checks.map((c) => [c.id, c.outcome])).toEqual([
    ['event-log-rtmr0', 'passed'],
    ['event-log-rtmr1', 'passed'],
    ['event-log-rtmr2', 'passed'],
    ['event-log-rtmr3', 'passed'],
  ])
})

test('messages of RTMR3 are appended by the one who knows them', async () => {
  const extended = async (text: string, from: Uint8Array): Promise<Uint8Array> =>
    extendRegister(sha, from, await sha(utf8(text)))
  const tree = 'cocoon:spec.tree=68ecc78e52f5a87ef0e86694d64fcc51b86318efd95e9357951a8f8a06aaa384'
  const rtmr3 = await extended('cocoon:tdx_inited', await extended(tree, new Uint8Array(48)))
  expect(toHex(rtmr3)).toBe(
    '96b590a66a34bbd397f02b860d84eab6761f29bda6a755ca3301f3a1aeb2fa009c0cb7a39bc49663d393aa35d1ec9dfb',
  )
  const log = parseEventLog(vectorBytes('eventlog/cos113.ccel'))
  const [a, b, c] = quoted()
  const digests = await Promise.all([tree, 'cocoon:tdx_inited'].map((text) => sha(utf8(text))))
  const appended = digests.map((digest) => ({ register: 3 as const, digest }))
  expect((await verifyEventLog(sha, log, [a, b, c, rtmr3], appended)).ok).toBe(true)
  expect(await verifyEventLog(sha, log, [a, b, c, rtmr3])).toMatchObject({
    ok: false,
    code: 'attestation.event-log-mismatch',
  })
})

test('an all-zero register differs from what the log says', async () => {
  const log = parseEventLog(vectorBytes('eventlog/cos113.ccel'))
  const zero = fromHex('00'.repeat(48))
  const result = await verifyEventLog(sha, log, [zero, zero, zero, zero])
  expect(result.checks.map((c) => c.outcome)).toEqual(['failed', 'failed', 'failed', 'passed'])
})
