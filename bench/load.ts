/** Asks over kept connections and looks at every answer. */
import { Pool } from 'undici'
import { requestBody, EVENT_BYTES, EVENTS, LAST_EVENTS, type Manner, stampIn } from './answer.ts'

const PATH = '/v1/chat/completions'
const LF = 0x0a

export interface Answered {
  readonly bytes: number
  readonly lineEnds: number
  readonly ms: number
  /** Nanoseconds from the engine's stamp to here, for every part with a stamp. */
  readonly delaysNs: readonly number[]
}

export interface Asker {
  ask(request: { readonly stream: boolean; readonly manner?: Manner }): Promise<Answered>
  /** Keeps every connection busy for a time and gives answers per second. Throws when one of them is wrong. */
  streamsPerSecond(seconds: number): Promise<number>
  close(): Promise<void>
}

export function createAsker(origin: string, connections: number): Asker {
  const pool = new Pool(origin, { connections, pipelining: 1, headersTimeout: 30_000, bodyTimeout: 30_000 })

  const ask: Asker['ask'] = ({ stream, manner = 'burst' }) =>
    new Promise((resolve, reject) => {
      let [bytes, lineEnds, status] = [0, 0, 0]
      let complaint = ''
      const delaysNs: number[] = []
      const start = performance.now()
      pool.dispatch(
        {
          path: PATH,
          method: 'POST',
          headers: { 'content-type': 'application/json' },
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
            if (status !== 200) return reject(new Error(`${origin}: status ${status}: ${complaint}`))
            resolve({ bytes, lineEnds, ms: performance.now() - start, delaysNs })
          },
          onResponseError: (_, error) => reject(error),
        },
      )
    })

  return {
    ask,
    async streamsPerSecond(seconds) {
      const start = performance.now()
      const end = start + seconds * 1000
      let answers = 0
      const keepAsking = async (): Promise<void> => {
        while (performance.now() < end) {
          checkStream(await ask({ stream: true }))
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
