import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createVerifier, parseCertificate, SIMULATED_TDX_IMAGE_HASH } from '../../src/tee/index.ts'
import { toHex } from '../../src/util/index.ts'

const recorded = (name: string): Uint8Array =>
  Uint8Array.from(readFileSync(new URL(`../../spec/vectors/ratls/${name}.der`, import.meta.url)))

const NOON = Date.UTC(2026, 10, 21, 12)
const WEEK = 7 * 86_400_000
const any = createVerifier({ accept: ['none'] })
const simulated = createVerifier({ accept: ['simulated'] })

describe.each(['reference-none-1', 'reference-none-2', 'reference-simulated-1', 'reference-simulated-2'])(
  '%s',
  (name) => {
    const bytes = recorded(name)

    test('is a version 1 certificate with extensions and good for both roles under `none`', () => {
      expect(parseCertificate(bytes).version).toBe(1)
      for (const role of ['server', 'client'] as const) expect(any.verify(bytes, role, NOON).evidence).toBe('none')
    })

    test('is refused a week later and a day earlier', () => {
      const at = (nowMs: number) => () => any.verify(bytes, 'client', nowMs)
      expect(at(NOON + WEEK)).toThrow(expect.objectContaining({ code: 'attestation.certificate-expired' }))
      expect(at(NOON - WEEK)).toThrow(expect.objectContaining({ code: 'attestation.certificate-not-yet-valid' }))
    })

    test('satisfies `simulated` exactly when it carries simulated evidence', () => {
      if (name.includes('simulated')) {
        const peer = simulated.verify(bytes, 'server', NOON)
        expect([peer.evidence, toHex(peer.imageHash as Uint8Array)]).toEqual(['simulated', SIMULATED_TDX_IMAGE_HASH])
      } else {
        const verify = () => simulated.verify(bytes, 'server', NOON)
        expect(verify).toThrow(expect.objectContaining({ code: 'attestation.quote-required' }))
      }
    })
  },
)
