/** What a GPU's firmware certificate states. Browser-safe. Source: spec/attestation-snp-gpu.md, "Device certificates". */
import { copyBytes } from '../../../util/index.ts'
import { type Certificate, DerReader, extensionOf, implicitTag, explicitTag, readOid, TAG } from '../../x509/index.ts'
import { subjectText } from '../chain.ts'

/** `ls10` is the switch between GPUs. */
export type GpuArchitecture = 'hopper' | 'blackwell' | 'ls10'

/** TCG DICE: the composite device id of Hopper, the TcbInfo of Blackwell. */
const COMPOSITE_DEVICE_ID = '2.23.133.5.4.1'
const TCB_INFO = '2.23.133.5.4.1.1'
const SHA384_OID = '2.16.840.1.101.3.4.2.2'
const FWID_BYTES = 48
/** `[6] fwids` in TcbInfo. */
const FWIDS = explicitTag(6)
/** What may stand before them: vendor, model, version, svn, layer, index. */
const BEFORE_FWIDS: readonly number[] = [0, 1, 2, 3, 4, 5].map(implicitTag)

/** `GH100` for "GH100 A01 GSP FMC LF", `LS10` for "LS_10 A01 FSP FMC LF"; null for a name of another form. */
export function chipOf(leaf: Certificate): string | null {
  return /^([A-Z]{2}_?\d{2,3}[A-Z]?) /.exec(subjectText(leaf))?.[1]?.replace('_', '') ?? null
}

/** By the chip's name. Null for what is not known here. */
export function architectureOf(chip: string | null): GpuArchitecture | null {
  if (chip === 'LS10') return 'ls10'
  if (chip?.startsWith('GH')) return 'hopper'
  return chip?.startsWith('GB') ? 'blackwell' : null
}

/** SHA-384 of the firmware that the certificate is for; null when it says none, or says it in two ways or wrongly. */
export function fwidOf(leaf: Certificate): Uint8Array | null {
  const composite = extensionOf(leaf, COMPOSITE_DEVICE_ID)
  const tcbInfo = extensionOf(leaf, TCB_INFO)
  if ((composite === null) === (tcbInfo === null)) return null
  try {
    return composite !== null ? fwidOfComposite(composite) : fwidOfTcbInfo(tcbInfo as Uint8Array)
  } catch {
    return null
  }
}

/** SEQUENCE { version, device key, SEQUENCE { algorithm, digest } }. */
function fwidOfComposite(value: Uint8Array): Uint8Array | null {
  const fields = DerReader.inside(value, TAG.sequence, 'compositeDeviceId')
  fields.read(TAG.integer)
  fields.read(TAG.sequence)
  const fwid = readFwid(fields)
  fields.end()
  return fwid
}

/** The first of the list: the others are of later layers, and zero. */
function fwidOfTcbInfo(value: Uint8Array): Uint8Array | null {
  const fields = DerReader.inside(value, TAG.sequence, 'tcbInfo')
  for (const tag of BEFORE_FWIDS) fields.optional(tag)
  return readFwid(fields.enter(FWIDS, 'fwids'))
}

function readFwid(from: DerReader): Uint8Array | null {
  const pair = from.enter(TAG.sequence, 'fwid')
  const algorithm = readOid(pair.read(TAG.oid), 'fwid')
  const { content } = pair.read(TAG.octetString)
  pair.end()
  return algorithm === SHA384_OID && content.length === FWID_BYTES ? copyBytes(content) : null
}
