/** What is to be verified, brought here: a file's bytes, or the certificate that a node shows on a connection. */
import { existsSync } from 'node:fs'
import {
  createIdentity,
  createVerifier,
  type DetectedEvidence,
  detectEvidence,
  MAX_EVIDENCE_BYTES,
} from '../../tee/index.ts'
import { type Connection, dial } from '../../transport/index.ts'
import { CocoonError, toCocoonError } from '../../util/index.ts'
import { readInput } from './input.ts'

export type Target =
  | { readonly from: 'file'; readonly evidence: DetectedEvidence }
  /** The handshake is done: whoever answers holds the certificate's key. */
  | { readonly from: 'connection'; readonly certificate: Uint8Array }

/** Proof of work takes seconds on a slow machine; a person waits no longer than this. */
const DIAL_TIMEOUT_MS = 30_000

/** A file wins over a node of the same name. Throws `config.verify-target` when there is nothing to verify. */
export async function readTarget(text: string, signal: AbortSignal): Promise<Target> {
  const address = existsSync(text) ? null : addressOf(text)
  if (address !== null) return { from: 'connection', certificate: await certificateOf(address, signal) }
  const evidence = detectEvidence(readInput(text, MAX_EVIDENCE_BYTES, 'config.verify-target'))
  if (evidence === null)
    throw new CocoonError('config.verify-target', {
      message: `${text} holds no evidence that is known here: an Intel quote or SEV-SNP report (binary, hex or Base64), NVIDIA’s JSON, a certificate (PEM or DER), a recorded session, a TCG event log`,
    })
  return { from: 'file', evidence }
}

interface Address {
  readonly host: string
  readonly port: number
}

function addressOf(text: string): Address | null {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/\\]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  return match === null || port < 1 || port > 65_535 ? null : { host: match[1] ?? (match[2] as string), port }
}

/** We show simulated evidence, as nodes of test networks demand; real ones may then hang up, which is no matter here. */
async function certificateOf({ host, port }: Address, signal: AbortSignal): Promise<Uint8Array> {
  const anyone = createVerifier({ accept: ['none'] })
  let certificate: Uint8Array | null = null
  let connection: Connection | null = null
  try {
    connection = await dial(
      {
        host,
        port,
        identity: createIdentity({ evidence: 'simulated' }),
        verifier: {
          verify(der, role, nowMs) {
            certificate = Uint8Array.from(der)
            return anyone.verify(der, role, nowMs)
          },
        },
        timeoutMs: DIAL_TIMEOUT_MS,
        signal,
      },
      () => ({ message() {}, query: (_, reply) => reply.error(0, 'only looking at the certificate'), closed() {} }),
    )
  } catch (error) {
    // The handshake was over when the verifier was asked: the certificate is as good as on an open connection.
    if (certificate === null) {
      const { message } = toCocoonError(error)
      throw new CocoonError(
        'config.verify-target',
        { message: `${host}:${port} shows no certificate: ${message}` },
        { cause: error },
      )
    }
  } finally {
    connection?.close(new CocoonError('protocol.closed', { message: 'the certificate has been seen' }))
  }
  return certificate as unknown as Uint8Array
}
