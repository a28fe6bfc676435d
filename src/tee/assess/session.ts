/**
 * What a node showed on one connection, as a file: its certificate, and the claims that came behind the handshake. Whoever records one can
 * have it verified elsewhere, or later at its time. Browser-safe. Form: docs/verification.md, "Recorded sessions".
 */
import { z } from 'zod'
import { CocoonError, fromBase64, toBase64 } from '../../util/index.ts'
import type { SignedClaims } from '../quote/index.ts'
import { ASSESS_ERRORS } from './errors.ts'

export const SESSION_FORMAT = 'cocoon-session-1'

export interface RecordedSession {
  /** DER. */
  readonly certificate: Uint8Array
  /** Null where nothing was claimed. */
  readonly claims: SignedClaims | null
}

const base64 = z.string().min(1).max(400_000)
const sessionSchema = z.strictObject({
  format: z.literal(SESSION_FORMAT),
  certificate: base64,
  claims: z.strictObject({ claims: base64, signature: base64 }).nullable(),
})

export const encodeSession = ({ certificate, claims }: RecordedSession): string =>
  `${JSON.stringify(
    {
      format: SESSION_FORMAT,
      certificate: toBase64(certificate),
      claims: claims === null ? null : { claims: toBase64(claims.claims), signature: toBase64(claims.signature) },
    },
    null,
    2,
  )}\n`

/** Throws `attestation.session-format` with the field. */
export function parseSession(text: string): RecordedSession {
  const refuse = (field: string): CocoonError => {
    const code = 'attestation.session-format'
    return new CocoonError(code, { field, message: `${ASSESS_ERRORS[code]} (field=${field})` })
  }
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    throw refuse('json')
  }
  const parsed = sessionSchema.safeParse(raw)
  if (!parsed.success) throw refuse(parsed.error.issues[0]?.path.join('.') || 'file')
  const bytes = (field: string, value: string): Uint8Array => {
    try {
      return fromBase64(value)
    } catch {
      throw refuse(field)
    }
  }
  const { certificate, claims } = parsed.data
  return {
    certificate: bytes('certificate', certificate),
    claims:
      claims === null
        ? null
        : { claims: bytes('claims.claims', claims.claims), signature: bytes('claims.signature', claims.signature) },
  }
}
