/**
 * Evidence of NVIDIA GPUs by the vendor's tool, each over a nonce that only the owner of a TLS key would ask for. Node only.
 * Source: docs/evidence.md, "GPUs".
 */
import { equalBytes, toHex } from '../../util/index.ts'
import { teeError } from '../errors.ts'
import { type GpuEvidence, parseGpuEvidence, parseGpuReport } from '../quote/index.ts'
import { gpuNonceFor } from '../verify/nvidia/nonce.ts'
import { nodeVerifyCrypto } from '../x509/crypto-node.ts'
import { runCommand } from './run-command.ts'

/** Stands for 64 hex digits in the command. */
export const NONCE_PLACE = '{nonce}'
/** NVIDIA's attestation CLI; what it prints is read here. */
export const NVATTEST: readonly [string, ...string[]] = [
  'nvattest',
  'collect-evidence',
  '--device',
  'gpu',
  '--format',
  'json',
  '--nonce',
  NONCE_PLACE,
]
const MAX_ANSWER_BYTES = 512 * 1024

export interface GpuSource {
  readonly description: string
  /** Of all GPUs, over one nonce of 32 bytes. Rejects with `attestation.evidence-source`, `attestation.gpu-…`. */
  collect(nonce: Uint8Array, signal: AbortSignal): Promise<readonly GpuEvidence[]>
}

export function createGpuCommandSource(command: readonly [string, ...string[]] = NVATTEST): GpuSource {
  return {
    description: `command (${command[0]})`,
    async collect(nonce, signal) {
      const hex = toHex(nonce)
      const [program, ...args] = command
      const text = await runCommand(
        {
          command: [program, ...args.map((arg) => arg.replaceAll(NONCE_PLACE, hex))],
          maxBytes: MAX_ANSWER_BYTES,
          signal,
        },
        `${hex}\n`,
      )
      const found = parseGpuEvidence(text)
      // What the file says of the nonce is text; the report was signed.
      for (const [index, { report }] of found.entries())
        if (!equalBytes(parseGpuReport(report).spdm.requestNonce, nonce))
          throw teeError('attestation.evidence-source', {
            source: program,
            gpu: index,
            why: 'it answers another nonce',
          })
      return found
    },
  }
}

/**
 * Every GPU over a nonce of its own, made from the TLS key and its place in the list: a report cannot stand for two GPUs, nor for
 * another key. The tool takes one nonce for all, so it is asked once for each.
 */
export async function collectGpusFor(
  source: GpuSource,
  publicKey: Uint8Array,
  signal: AbortSignal,
): Promise<readonly GpuEvidence[]> {
  const bound: GpuEvidence[] = []
  for (let index = 0, count = 1; index < count; index++) {
    const found = await source.collect(await gpuNonceFor(nodeVerifyCrypto, publicKey, index), signal)
    const one = found[index]
    if (one === undefined || (index > 0 && found.length !== count))
      throw teeError('attestation.evidence-source', { source: source.description, why: 'the number of GPUs changed' })
    count = found.length
    bound.push(one)
  }
  return bound
}
