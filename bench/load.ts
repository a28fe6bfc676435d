/** Asks over kept connections and looks at every answer. */
import { Pool } from 'undici'
import type { Random } from '../src/util/index.ts'
import { requestBody, EVENT_BYTES, EVENTS, LAST_EVENTS, type Manner, stampIn } from './answer.ts'

const PATH = '/v1/chat/completions'
const LF = 0x0a

export interface Answered {
  readonly status: number
  readonly bytes: number
  readonly lineEnds: number
  readonly ms: number
  /** On the clock of `performance.now`. */
  readonly endedMs: number
  /** Nanoseconds from the engine's stamp to here, for every part with a stamp. */
  readonly delaysNs: readonly number[]
}

export interface Asker {
  /** Throws when the status is not 200. */
  ask(request: { readonly stream: boolean; readonly manner?: Manner }): Promise<Answered>
  /**
   * Streams that are asked for at random times with this mean rate, whether or not earlier ones are answered. Answers of any
   * status, streams checked.
   */
  arrive(options: {
    readonly ratePerS: number
    readonly seconds: number
    readonly random: Pick<Random, 'fraction'>
    readonly manner?: Manner
  }): Promise<readonly Answered[]>
  /** Keeps every connection busy for a time and gives answers per second. Throws when one of them is wrong. */
  streamsPerSecond(seconds: number, manner?: Manner): Promise<number>
  close(): Promise<void>
}

/** @param key of the API, where it wants one */
export function createAsker(origin: string, connections: number, key?: string): Asker {
  const headers = {
    'content-type': 'application/json',
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
  }
  const pool = new Pool(origin, { connections, pipelining: 1, headersTimeout: 30_000, bodyTimeout: 30_000 })

  const exchange = (stream: boolean, manner: Manner): Promise<Answered & { readonly complaint: string }> =>
    new Promise((resolve, reject) => {
      let [bytes, lineEnds, status] = [0, 0, 0]
      let complaint = ''
      const delaysNs: number[] = []
      const start = performance.now()
      pool.dispatch(
        {
          path: PATH,
          method: 'POST',
          headers,
          body: requestBody({ stream, manner }),
        },
        {
          onRequestStart() {},
          onResponseStart: (_, code) => void (status = code),
          onResponseData(_, chunk) {
            bytes += chunk.length
            if (status !== 200) complaint = chunk.toString().slice(0, 300)
            for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) lineEnds++
            if (manner !== 'stamped') return
            const sent = stampIn(chunk.toString('latin1'))
            if (sent !== undefined) delaysNs.push(Number(process.hrtime.bigint() - sent))
          },
          onResponseEnd() {
            const endedMs = performance.now()
            resolve({ status, bytes, lineEnds, ms: endedMs - start, endedMs, delaysNs, complaint })
          },
          onResponseError: (_, error) => reject(error),
        },
      )
    })

  const ask: Asker['ask'] = async ({ stream, manner = 'burst' }) => {
    const answered = await exchange(stream, manner)
    const { status, complaint } = answered
    if (status !== 200) throw new Error(`${origin}: status ${status}: ${complaint}`)
    return answered
  }

  return {
    ask,
    async arrive({ ratePerS, seconds, random, manner = 'burst' }) {
      const start = performance.now()
      const all: Promise<Answered>[] = []
      for (let atMs = 0; atMs < seconds * 1000; atMs += (-Math.log(1 - random.fraction()) * 1000) / ratePerS) {
        const earlyMs = start + atMs - performance.now()
        if (earlyMs > 0) await new Promise((resolve) => setTimeout(resolve, earlyMs))
        all.push(exchange(true, manner))
      }
      const answers = await Promise.all(all)
      for (const answered of answers) if (answered.status === 200) checkStream(answered)
      return answers
    },
    async streamsPerSecond(seconds, manner = 'burst') {
      const start = performance.now()
      const end = start + seconds * 1000
      let answers = 0
      const keepAsking = async (): Promise<void> => {
        while (performance.now() < end) {
          checkStream(await ask({ stream: true, manner }))
          answers++
        }
      }
      await Promise.all(Array.from({ length: connections }, keepAsking))
      return (1000 * answers) / (performance.now() - start)
    },
    close: () => pool.close(),
  }
}

/** Two line ends an event. The usage event may have grown by its price. */
function checkStream({ bytes, lineEnds }: Answered): void {
  const least = EVENTS * EVENT_BYTES + LAST_EVENTS.join('').length
  const events = EVENTS + LAST_EVENTS.length
  if (lineEnds !== 2 * events || bytes < least || bytes > least + 200)
    throw new Error(`a stream of ${bytes} bytes and ${lineEnds} line ends is not the engine's`)
}
