/** Recorded evidence of SEV-SNP and NVIDIA, and what tests expect of guests and GPUs. */
import { readFileSync } from 'node:fs'
import type { GpuExpectations } from '../../src/tee/verify/nvidia/verify.ts'
import type { SnpExpectations } from '../../src/tee/verify/snp/guest.ts'
import { readPem, type VerifyCrypto } from '../../src/tee/x509/index.ts'
import { toHex } from '../../src/util/index.ts'

const FOLDER = new URL('../../spec/vectors/attestation-snp-gpu/', import.meta.url)

export const vectorBytes = (path: string): Uint8Array => new Uint8Array(readFileSync(new URL(path, FOLDER)))
export const vectorText = (path: string): string => readFileSync(new URL(path, FOLDER), 'utf8')
export const vectorJson = <T>(path: string): T => JSON.parse(vectorText(path)) as T

/** The DER of a file with one certificate, or of a PEM file with several, in its order. */
export const certificatesIn = (path: string): Uint8Array[] =>
  path.endsWith('.pem') ? readPem(vectorBytes(path)) : [vectorBytes(path)]

/** Genuine, whatever it is. */
export const LENIENT_SNP: SnpExpectations = {
  crl: 'if-given',
  vmpl: 0,
  debug: 'allow',
  migrationAgent: 'allow',
  platform: [],
  minimumTcb: null,
  measurements: null,
  hostData: null,
  reportData: null,
}

/** What production wants of a guest, but for values that no recorded report has. */
export const STRICT_SNP: SnpExpectations = { ...LENIENT_SNP, debug: 'refuse', migrationAgent: 'refuse' }

/** Genuine, and an answer to this nonce. */
export const lenientGpu = (nonce: Uint8Array): GpuExpectations => ({
  nonce,
  manifests: 'if-given',
  revocation: 'if-given',
  fwid: 'if-stated',
  architectures: null,
  features: null,
})

/**
 * The same cryptography, remembering what was found good: thousands of mutants share the signatures that were not touched.
 * What is bad, or new, is always computed.
 */
export function rememberingGood(crypto: VerifyCrypto): VerifyCrypto {
  const good = new Set<string>()
  return {
    ...crypto,
    async importKey(scheme, spki) {
      const key = await crypto.importKey(scheme, spki)
      const owner = `${scheme} ${toHex(spki)}`
      return key === null
        ? null
        : {
            async verify(signature, message) {
              const about = `${owner} ${toHex(signature)} ${toHex(await crypto.sha256(message))}`
              if (good.has(about)) return true
              const holds = await key.verify(signature, message)
              if (holds) good.add(about)
              return holds
            },
          }
    },
  }
}
