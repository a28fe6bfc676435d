/**
 * What a client is told of a request that runs: who has it, the answer as it comes, what it cost, and why there is none. Says each thing
 * once and in order, and nothing to one that has gone; when to say it is decided in requests.ts.
 */
import { NO_TOKENS, type OwnerKey } from '../../ledger/index.ts'
import { type Allocate, decode, encode, httpResponseToPass } from '../../tl/index.ts'
import { type Clock, copyBytes } from '../../util/index.ts'
import { encodeError, encodeHead, encodePart, encodeWhole, type Final, type Times } from './answers.ts'
import { attemptsOf, lastOf, waitedBy } from './attempt.ts'
import type { LastAnswer, WorkerFinal } from './request.ts'
import type { Running } from './running.ts'
import { encodeStory } from './story.ts'

export interface TellingDeps {
  readonly clock: Clock
  /** A worker's owner as peers write it. */
  shownOwner(owner: OwnerKey): string
  /** Memory for what is sent at once. */
  readonly allocate: Allocate
}

export interface Telling {
  /** Who has had it; once, and before anything of the answer. @param waitedMs in the queue, besides the waits of its attempts */
  story(request: Running, waitedMs?: number): void
  /** The first answer, or a part after it. */
  forward(request: Running, kind: 'head' | 'part', bytes: Uint8Array): void
  /** All of a whole answer that may leave before the charge is written down; gives the body of the last part. */
  first(request: Running, answer: LastAnswer): Uint8Array
  /** The last part, with what was charged. */
  last(request: Running, body: Uint8Array, final: WorkerFinal): void
  /** That there is no answer, and what was charged all the same. */
  error(request: Running, code: number, message: string, final: Final): void
  /** That there is no answer, and that nothing was charged. */
  failure(request: Running, code: number, message: string, final?: WorkerFinal): void
  /** What it used and when, as the client may see it. */
  finalFor(request: Running, final: WorkerFinal): Final
}

const timeHeader = (what: string, seconds: number): { name: string; value: string } => ({
  name: `X-Cocoon-${what}`,
  value: seconds.toFixed(6),
})

const NOTHING = new Uint8Array()

export function createTelling({ clock, shownOwner, allocate }: TellingDeps): Telling {
  const nowS = (): number => clock.now() / 1000

  /** Once, and before anything of the answer. */
  function story(request: Running, waitedMs = 0): void {
    const { connection, version } = request.client
    if (request.isTold || !request.heard || !connection.peer.extended || version === 0) return
    request.isTold = true
    connection.send(encodeStory(request, waitedMs, shownOwner, allocate))
  }

  /** A first answer with the proxy's times in it, and with the worker's where those came elsewhere. */
  function withTimes(request: Running, head: Uint8Array, worker?: WorkerFinal): Uint8Array {
    const response = decode(httpResponseToPass, head)
    const times = [
      ...(worker === undefined ? [] : [timeHeader('Worker-Start', worker.start), timeHeader('Worker-End', worker.end)]),
      timeHeader('Proxy-Start', request.startedMs / 1000),
      timeHeader('Proxy-End', nowS()),
    ]
    return encode(httpResponseToPass, { ...response, headers: { ...response.headers, more: times } })
  }

  /**
   * The first answer, where it is not out yet: a client that has it asks no other proxy when this one is lost, so that nothing
   * is charged twice. Gives the body of the last part, which waits until the charge is written down.
   */
  function first(request: Running, answer: LastAnswer): Uint8Array {
    const { to, client, heard } = request
    if (answer.is === 'part') return copyBytes(answer.bytes)
    if (!heard) return NOTHING
    story(request)
    if (answer.is === 'head') client.connection.send(encodeHead(to, withTimes(request, answer.bytes)))
    else if (client.connection.peer.extended && to.version > 0)
      client.connection.send(encodeWhole(to, answer.head, answer.bytes, timesOf(request, answer.final)))
    else {
      client.connection.send(encodeHead(to, withTimes(request, answer.head, answer.final)))
      return copyBytes(answer.bytes)
    }
    return NOTHING
  }

  function failure(request: Running, code: number, message: string, final?: WorkerFinal): void {
    if (!request.heard && !request.asksForCharge) return
    const none = { ...(final ?? { debug: '', start: 0, end: 0 }), tokens: NO_TOKENS }
    error(request, code, message, finalFor(request, none))
  }

  function error(request: Running, code: number, message: string, final: Final): void {
    const { client, to, progress } = request
    if (lastOf(request) !== undefined) story(request)
    client.connection.send(encodeError(to, { code, message }, final, progress.phase !== 'waiting'))
  }

  const timesOf = (request: Running, { start, end }: WorkerFinal): Times => ({
    proxyStart: request.startedMs / 1000,
    proxyEnd: nowS(),
    workerStart: start,
    workerEnd: end,
  })

  function finalFor(request: Running, final: WorkerFinal): Final {
    const times = timesOf(request, final)
    if (!request.ask.debug) return { tokens: final.tokens, times }
    const proxy = JSON.stringify({
      type: 'proxy_stats',
      start_time: times.proxyStart,
      answer_receive_end_at: times.proxyEnd,
      scheduling: { queued_ms: waitedBy(request), attempts: attemptsOf(request) },
    })
    return { tokens: final.tokens, times, debug: { worker: final.debug, proxy } }
  }

  return {
    story,
    forward(request, kind, bytes) {
      story(request)
      request.client.connection.send(
        kind === 'head' ? encodeHead(request.to, withTimes(request, bytes)) : encodePart(request.to, bytes),
      )
    },
    first,
    last: (request, body, final) =>
      request.client.connection.send(encodePart(request.to, body, finalFor(request, final))),
    error,
    failure,
    finalFor,
  }
}
