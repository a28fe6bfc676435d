import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createTestPlatform } from '../../../test/support/attested-peers.ts'
import { NOW_MS } from '../../../test/support/dcap-maker.ts'
import { CocoonError, concatBytes, manualClock, silentLog } from '../../util/index.ts'
import type { EvidenceSource, SourcedEvidence } from '../source/source.ts'
import { readPem } from '../x509/index.ts'
import { openIdentity } from './identity.ts'
import { verifyRatls } from './verify.ts'

const HOUR_MS = 3_600_000
const platform = createTestPlatform()

/** A source that a test can make fail. */
function createSource() {
  const good = platform.source()
  const asked: Uint8Array[] = []
  let answer: EvidenceSource['quote'] = good.quote
  return {
    asked,
    good,
    answerWith: (next: EvidenceSource['quote']) => (answer = next),
    source: {
      ...good,
      quote: (reportData: Uint8Array, signal: AbortSignal): Promise<SourcedEvidence> => {
        asked.push(reportData)
        return answer(reportData, signal)
      },
    },
  }
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

const options = (source: EvidenceSource) => {
  const clock = manualClock(NOW_MS)
  return { source, clock, log: silentLog, random: randomBytes }
}

test('the certificate carries evidence that was made for its key, without the padding of kernels', async () => {
  const { source, good, answerWith } = createSource()
  answerWith(async (reportData, signal) => {
    const evidence = (await good.quote(reportData, signal)) as Extract<SourcedEvidence, { kind: 'tdx' }>
    return { ...evidence, quote: concatBytes(evidence.quote, new Uint8Array(3065)) }
  })
  const identity = await openIdentity(options(source))
  const shown = verifyRatls(readPem(identity.current().certificatePem)[0] as Uint8Array, 'server', NOW_MS)
  expect(shown.publicKey).toEqual(identity.current().publicKey)
  const { evidence } = shown
  if (evidence.kind !== 'tdx') throw new Error('no quote')
  expect(evidence.quote.subarray(48 + 520, 48 + 584)).toEqual(shown.reportData)
  expect(evidence.quote.at(-1)).toBe(0)
  expect(evidence.quote.length).toBeLessThan(6000)
  identity.close()
})

test.each<[string, EvidenceSource['quote']]>([
  ['over other report data', (_, signal) => platform.source().quote(new Uint8Array(64), signal)],
  ['that is none', () => Promise.resolve({ kind: 'tdx', quote: new Uint8Array(700) })],
  [
    'of a kind that was not asked for',
    () => Promise.resolve({ kind: 'sev-snp', report: new Uint8Array(1184), chipCertificate: null }),
  ],
])('evidence %s makes no certificate', async (_, quote) => {
  const { source, answerWith } = createSource()
  answerWith(quote)
  await expect(openIdentity(options(source))).rejects.toMatchObject({ family: 'attestation' })
})

test('an hour later there is another key with evidence of its own, and connections did not wait for it', async () => {
  const { source, asked, answerWith, good } = createSource()
  const o = options(source)
  const identity = await openIdentity(o)
  const first = identity.current()
  const slow = Promise.withResolvers<void>()
  answerWith(async (reportData, signal) => {
    await slow.promise
    return good.quote(reportData, signal)
  })
  o.clock.advance(HOUR_MS - 1)
  expect(asked.length).toBe(1)
  o.clock.advance(1)
  expect(asked.length).toBe(2)
  // While the hardware takes its time, the old certificate is shown.
  expect(identity.current()).toBe(first)
  slow.resolve()
  await settle()
  expect(identity.current().publicKey).not.toEqual(first.publicKey)
  expect(identity.status()).toMatchObject({
    evidence: 'tdx',
    failure: null,
    madeAt: new Date(NOW_MS + HOUR_MS).toISOString(),
  })
  identity.close()
})

test('while renewing fails the old certificate stays, it is tried again after 1, 2, 4, 8, 10, 10 minutes, and status says why', async () => {
  const { source, asked, answerWith, good } = createSource()
  const o = options(source)
  const identity = await openIdentity(o)
  const first = identity.current()
  answerWith(() => Promise.reject(new CocoonError('attestation.evidence-source', { message: 'the device is busy' })))
  o.clock.advance(HOUR_MS)
  await settle()
  expect(identity.status().failure).toMatchObject({ code: 'attestation.evidence-source', reason: 'the device is busy' })
  for (const minutes of [1, 2, 4, 8, 10, 10]) {
    const before = asked.length
    o.clock.advance(minutes * 60_000 - 1)
    await settle()
    expect(asked.length).toBe(before)
    o.clock.advance(1)
    await settle()
    expect(asked.length).toBe(before + 1)
  }
  expect(identity.current()).toBe(first)
  answerWith(good.quote)
  o.clock.advance(600_000)
  await settle()
  expect(identity.current()).not.toBe(first)
  expect(identity.status().failure).toBeNull()
  identity.close()
})

test('a source that never answers is given up after a minute', async () => {
  const { source, answerWith } = createSource()
  answerWith(
    (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  )
  const o = options(source)
  const opened = openIdentity(o)
  opened.catch(() => undefined)
  await settle()
  o.clock.advance(60_000)
  await expect(opened).rejects.toMatchObject({ code: 'attestation.evidence-source' })
})

test('an identity that is closed asks no more', async () => {
  const { source, asked } = createSource()
  const o = options(source)
  const identity = await openIdentity(o)
  identity.close()
  o.clock.advance(10 * HOUR_MS)
  await settle()
  expect(asked.length).toBe(1)
})
