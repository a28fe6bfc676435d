/** Fetching from vendors' services: bounded in time and size, no redirects, nothing but status 200 is an answer. */
import { unavailable } from './errors.ts'

export interface VendorReply {
  readonly body: Uint8Array
  /** Null when absent. */
  header(name: string): string | null
}

/** Posts the question of an OCSP request; gets what has none. Rejects with `attestation.collateral-unavailable`. */
export type VendorGet = (url: string, signal: AbortSignal, question?: Uint8Array) => Promise<VendorReply>

/** The largest thing that vendors publish is a manifest of some hundred kB. */
const MAX_REPLY_BYTES = 1024 * 1024
/** Somebody may be waiting in a handshake, who has 15 s. */
const TIMEOUT_MS = 8_000

const OCSP_REQUEST = { 'content-type': 'application/ocsp-request' }

export const httpGet: VendorGet = async (url, signal, question) => {
  const { host } = new URL(url)
  try {
    const reply = await fetch(url, {
      // A service that sends us elsewhere is not the one that was configured.
      redirect: 'error',
      ...(question === undefined ? {} : { method: 'POST', headers: OCSP_REQUEST, body: Uint8Array.from(question) }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    if (reply.status !== 200) {
      await reply.body?.cancel()
      throw unavailable(url, `${host} answered ${reply.status}`)
    }
    return { body: await bodyOf(reply, url), header: (name) => reply.headers.get(name) }
  } catch (error) {
    if (signal.aborted) throw unavailable(url, 'nobody waits for it any more', error)
    const { name, message, cause } = error as Error & {
      readonly cause?: { readonly code?: string; readonly message?: string }
    }
    if (name === 'CocoonError') throw error
    const why =
      name === 'TimeoutError'
        ? `${host} did not answer within ${TIMEOUT_MS / 1000} s`
        : (cause?.code ?? cause?.message ?? message)
    throw unavailable(url, why, error)
  }
}

async function bodyOf(reply: Response, url: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of reply.body ?? []) {
    bytes += chunk.length
    if (bytes > MAX_REPLY_BYTES) throw unavailable(url, `the answer is larger than ${MAX_REPLY_BYTES} bytes`)
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}
