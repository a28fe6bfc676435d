/** Single parts of the hot path, alone in this process. */
import { createMeter } from '../src/engine/index.ts'
import { clientQueryAnswerPartEx, decode, encode, proxyQueryAnswerPartEx } from '../src/tl/index.ts'
import { seededRandom } from '../src/util/index.ts'
import { burstEvents, EVENT_BYTES, EVENTS, LAST_EVENTS } from './answer.ts'
import type { Benchmark } from './benchmark.ts'

const BATCH = 1000

/** Runs `work` for a time and gives microseconds a call. Its results are added up and checked, so that none is skipped. */
function microsecondsEach(seconds: number, expected: number, work: () => number): number {
  for (let i = 0; i < 20 * BATCH; i++) work()
  const start = performance.now()
  const end = start + seconds * 1000
  let [calls, sum] = [0, 0]
  while (performance.now() < end) {
    for (let i = 0; i < BATCH; i++) sum += work()
    calls += BATCH
  }
  const elapsed = performance.now() - start
  if (sum !== calls * expected) throw new Error(`a result was wrong: ${sum} is not ${calls} × ${expected}`)
  return (1000 * elapsed) / calls
}

export const microBenchmark: Benchmark = {
  name: 'micro',
  what: 'encoding and decoding of answer parts, and metering of one stream',
  async run({ seconds, seed }) {
    const requestId = seededRandom(seed).bytes(32)
    const answer = seededRandom(seed + 1).bytes(EVENT_BYTES)
    const wire = encode(proxyQueryAnswerPartEx, { requestId, answer, flags: 0 })
    const encoding = microsecondsEach(
      seconds / 2,
      wire.length,
      () => encode(clientQueryAnswerPartEx, { requestId, answer, flags: 0 }, Buffer.allocUnsafe).length,
    )
    const decoding = microsecondsEach(
      seconds / 2,
      EVENT_BYTES,
      () => decode(proxyQueryAnswerPartEx, wire).answer.length,
    )

    const events = [...burstEvents(seed), ...LAST_EVENTS].map((event) => Buffer.from(event))
    const inOne = [Buffer.concat(events)]
    const visible = EVENTS * EVENT_BYTES + (LAST_EVENTS[1]?.length ?? 0)
    const meter = (chunks: readonly Buffer[]): number => {
      const metered = createMeter({
        contentType: 'text/event-stream',
        streamed: true,
        callerWantsUsage: false,
        cost: () => ({ promptNano: 1n, completionNano: 2n }),
      })
      let bytes = 0
      for (const chunk of chunks) bytes += metered.push(chunk).length
      bytes += metered.end().bytes.length
      if (metered.usage.completionTokens !== EVENTS) throw new Error('the usage was not seen')
      return bytes
    }
    return [
      { name: 'encode a part of 128 bytes', value: 1e6 / encoding, unit: '1/s' },
      { name: 'decode a part of 128 bytes', value: 1e6 / decoding, unit: '1/s' },
      {
        name: 'meter a stream, event by event',
        value: microsecondsEach(seconds / 2, visible, () => meter(events)),
        unit: 'µs',
      },
      {
        name: 'meter a stream, in one piece',
        value: microsecondsEach(seconds / 2, visible, () => meter(inOne)),
        unit: 'µs',
      },
    ]
  },
}
