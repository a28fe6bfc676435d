/** QE identity: which quoting enclave Intel stands for, and what is known about its versions. Browser-safe. */
import { type JsonFields, readSignedJson, type SignedJson } from './json.ts'
import { type EnclaveLevel, readEnclaveLevels } from './tcb-info.ts'

const CODE = 'attestation.qe-identity-format'

export interface QeIdentity extends Omit<SignedJson, 'body'> {
  readonly tee: 'sgx' | 'tdx'
  readonly issuedAtMs: number
  readonly nextUpdateMs: number
  readonly evaluationDataNumber: number
  readonly miscSelect: number
  readonly miscSelectMask: number
  readonly attributes: Uint8Array
  readonly attributesMask: Uint8Array
  readonly mrSigner: Uint8Array
  readonly isvProdId: number
  /** Highest first. */
  readonly levels: readonly EnclaveLevel[]
}

/** Reads the response of the service, byte for byte. Throws `attestation.qe-identity-format` with the field. */
export function parseQeIdentity(bytes: Uint8Array): QeIdentity {
  const { signed, signature, body } = readSignedJson(bytes, 'enclaveIdentity', CODE)
  if (body.integer('version', 255) !== 2) throw body.wrong('version', 'another version than 2')
  return {
    signed,
    signature,
    tee: body.word('id', ['QE', 'TD_QE']) === 'TD_QE' ? 'tdx' : 'sgx',
    issuedAtMs: body.time('issueDate'),
    nextUpdateMs: body.time('nextUpdate'),
    evaluationDataNumber: body.integer('tcbEvaluationDataNumber', 2 ** 31),
    miscSelect: littleEndian(body, 'miscselect'),
    miscSelectMask: littleEndian(body, 'miscselectMask'),
    attributes: body.hex('attributes', 16),
    attributesMask: body.hex('attributesMask', 16),
    mrSigner: body.hex('mrsigner', 32),
    isvProdId: body.integer('isvprodid', 65_535),
    levels: readEnclaveLevels(body),
  }
}

/** The hex is of the bytes as they lie in the report. */
function littleEndian(body: JsonFields, name: string): number {
  const bytes = body.hex(name, 4)
  return new DataView(bytes.buffer).getUint32(0, true)
}
