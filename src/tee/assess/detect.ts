/** What a file with evidence holds, by its first bytes. Browser-safe. Nothing is trusted: parsers look again, strictly. */
import { fromBase64, fromHex } from '../../util/index.ts'
import { MAX_EVENT_LOG_BYTES } from '../quote/eventlog.ts'
import { SNP_REPORT_BYTES } from '../quote/index.ts'
import { readPem } from '../x509/index.ts'
import { SESSION_FORMAT } from './session.ts'

export type EvidenceForm = 'dcap-quote' | 'snp-report' | 'gpu-evidence' | 'certificate' | 'event-log' | 'session'

export interface DetectedEvidence {
  readonly form: EvidenceForm
  readonly encoding: 'binary' | 'hex' | 'base64' | 'pem' | 'json'
  /** Decoded; JSON as it is. */
  readonly bytes: Uint8Array
}

/** An event log is the largest thing; its hex is twice that. */
export const MAX_EVIDENCE_BYTES = 2 * MAX_EVENT_LOG_BYTES + 1024
/** Header and the smallest body; nothing shorter can be told from noise. */
const MIN_QUOTE_BYTES = 432
const SPEC_ID = 'Spec ID Event03'
const SPEC_ID_AT = 32

/** Null when it is none of them. Throws nothing. */
export function detectEvidence(bytes: Uint8Array): DetectedEvidence | null {
  if (bytes.length > MAX_EVIDENCE_BYTES) return null
  const form = formOfBinary(bytes)
  if (form !== null) return { form, encoding: 'binary', bytes }
  const text = textOf(bytes)
  if (text === null) return null
  if (text.startsWith('[') || (text.startsWith('{') && text.includes('"evidences"')))
    return { form: 'gpu-evidence', encoding: 'json', bytes }
  if (text.startsWith('{') && text.includes(`"${SESSION_FORMAT}"`)) return { form: 'session', encoding: 'json', bytes }
  if (text.startsWith('-----BEGIN CERTIFICATE-----')) return fromPem(text)
  const compact = text.replaceAll(/\s+/g, '')
  return decoded('hex', () => fromHex(compact.replace(/^0x/i, ''))) ?? decoded('base64', () => fromBase64(compact))
}

function formOfBinary(bytes: Uint8Array): EvidenceForm | null {
  if (bytes.length < 48) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const isLog = String.fromCharCode(...bytes.subarray(SPEC_ID_AT, SPEC_ID_AT + SPEC_ID.length)) === SPEC_ID
  if (isLog) return 'event-log'
  const version = view.getUint32(0, true)
  if (bytes.length === SNP_REPORT_BYTES && version <= 0xff) return 'snp-report'
  // Version and key type, two bytes each; a number that is not known yet is for the parser to refuse by name.
  if (bytes.length >= MIN_QUOTE_BYTES && view.getUint16(0, true) <= 0x0f && view.getUint16(2, true) <= 0x0f)
    return 'dcap-quote'
  // SEQUENCE with a length of two bytes that fills the file.
  return view.getUint16(0) === 0x3082 && view.getUint16(2) === bytes.length - 4 ? 'certificate' : null
}

function fromPem(text: string): DetectedEvidence | null {
  try {
    const [first, second] = readPem(text)
    // A chain is never RA-TLS: those certificates sign themselves.
    return first === undefined || second !== undefined ? null : { form: 'certificate', encoding: 'pem', bytes: first }
  } catch {
    return null
  }
}

function decoded(encoding: 'hex' | 'base64', decode: () => Uint8Array): DetectedEvidence | null {
  try {
    const bytes = decode()
    const form = formOfBinary(bytes)
    return form === null ? null : { form, encoding, bytes }
  } catch {
    return null
  }
}

/** Printable ASCII with white space, trimmed; null for anything else. */
function textOf(bytes: Uint8Array): string | null {
  if (!bytes.every((byte) => byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte < 127))) return null
  return new TextDecoder('latin1').decode(bytes).trim()
}
