/** What AMD states in a VCEK or VLEK certificate. Browser-safe. Source: spec/attestation-snp-gpu.md, "Chain and leaf extensions". */
import { copyBytes, CocoonError } from '../../../util/index.ts'
import { SNP_ERRORS } from '../../quote/snp-errors.ts'
import type { SnpProduct, SnpTcb } from '../../quote/snp-tcb.ts'
import { type Certificate, DerReader, extensionOf, TAG } from '../../x509/index.ts'
import { subjectText } from '../chain.ts'

export interface SnpLeaf {
  readonly kind: 'vcek' | 'vlek'
  /** The name as written, for one `Milan-B0`. */
  readonly productName: string
  readonly product: SnpProduct
  /** The firmware that the key was derived for. */
  readonly tcb: SnpTcb
  /** 64 bytes, 8 for Turin; a VCEK has it, a VLEK has not. */
  readonly hardwareId: Uint8Array | null
  /** The provider that a VLEK was given to. */
  readonly providerId: string | null
}

const ARC = '1.3.6.1.4.1.3704.1'
const OID = {
  productName: `${ARC}.2`,
  bootLoader: `${ARC}.3.1`,
  tee: `${ARC}.3.2`,
  snp: `${ARC}.3.3`,
  microcode: `${ARC}.3.8`,
  fmc: `${ARC}.3.9`,
  hardwareId: `${ARC}.4`,
  providerId: `${ARC}.5`,
} as const
const IA5_STRING = 0x16
const PRODUCT_BY_NAME: Readonly<Record<string, SnpProduct>> = {
  Milan: 'Milan',
  Genoa: 'Genoa',
  Bergamo: 'Genoa',
  Siena: 'Genoa',
  Turin: 'Turin',
}
const KIND_BY_SUBJECT: Readonly<Record<string, SnpLeaf['kind']>> = { 'SEV-VCEK': 'vcek', 'SEV-VLEK': 'vlek' }

/** Throws `attestation.snp-leaf-extension` with the extension, and `attestation.snp-product`. */
export function readSnpLeaf(certificate: Certificate): SnpLeaf {
  const kind = KIND_BY_SUBJECT[subjectText(certificate)]
  if (kind === undefined) throw refuse('subject', 'neither SEV-VCEK nor SEV-VLEK')
  const productName = readText(certificate, OID.productName)
  // Milan's leaves name the stepping as well: `Milan-B0`.
  const product = PRODUCT_BY_NAME[productName.replace(/-[A-Z]\d$/, '')]
  if (product === undefined)
    throw new CocoonError('attestation.snp-product', {
      productName,
      message: `${SNP_ERRORS['attestation.snp-product']} (productName=${productName})`,
    })
  const tcb: SnpTcb = {
    fmc: product === 'Turin' ? readNumber(certificate, OID.fmc) : null,
    bootLoader: readNumber(certificate, OID.bootLoader),
    tee: readNumber(certificate, OID.tee),
    snp: readNumber(certificate, OID.snp),
    microcode: readNumber(certificate, OID.microcode),
  }
  const hasHardwareId = extensionOf(certificate, OID.hardwareId) !== null
  if (hasHardwareId !== (kind === 'vcek')) throw refuse(OID.hardwareId, `${kind} ${hasHardwareId ? 'with' : 'without'}`)
  return {
    kind,
    productName,
    product,
    tcb,
    hardwareId: hasHardwareId ? readHardwareId(certificate, product === 'Turin' ? 8 : 64) : null,
    providerId: kind === 'vlek' ? readText(certificate, OID.providerId) : null,
  }
}

function refuse(extension: string, found: string): CocoonError {
  const message = `${SNP_ERRORS['attestation.snp-leaf-extension']} (extension=${extension}, found=${found})`
  return new CocoonError('attestation.snp-leaf-extension', { extension, found, message })
}

function valueOf(certificate: Certificate, oid: string): Uint8Array {
  const value = extensionOf(certificate, oid)
  if (value === null) throw refuse(oid, 'absent')
  return value
}

function readNumber(certificate: Certificate, oid: string): number {
  const content = onlyElement(certificate, oid, TAG.integer)
  const [first = 0, second] = content
  if (content.length === 1 && first < 0x80) return first
  if (content.length === 2 && first === 0 && second !== undefined && second >= 0x80) return second
  throw refuse(oid, 'no number from 0 to 255')
}

function readText(certificate: Certificate, oid: string): string {
  const content = onlyElement(certificate, oid, IA5_STRING)
  if (!content.every((byte) => byte >= 0x20 && byte < 0x7f)) throw refuse(oid, 'no printable text')
  return String.fromCharCode(...content)
}

/** Raw in most certificates, in an OCTET STRING in some; the length tells which. */
function readHardwareId(certificate: Certificate, bytes: number): Uint8Array {
  const value = valueOf(certificate, OID.hardwareId)
  if (value.length === bytes) return copyBytes(value)
  const content = onlyElement(certificate, OID.hardwareId, TAG.octetString)
  if (content.length !== bytes) throw refuse(OID.hardwareId, `${content.length} bytes`)
  return copyBytes(content)
}

function onlyElement(certificate: Certificate, oid: string, tag: number): Uint8Array {
  const value = valueOf(certificate, oid)
  try {
    return DerReader.only(value, tag, oid).content
  } catch {
    throw refuse(oid, 'not the DER that is due')
  }
}
