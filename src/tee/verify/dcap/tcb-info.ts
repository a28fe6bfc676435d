/** TCB info: which security versions a platform must have, and what is known about lesser ones. Browser-safe. */
import { equalBytes } from '../../../util/index.ts'
import { type JsonFields, readSignedJson, type SignedJson } from './json.ts'

const CODE = 'attestation.tcb-info-format'
/** SVN components of a platform, of SGX and of TDX each. */
export const COMPONENTS = 16
/** Published files have up to 11 levels and 2 identities; lists are loops that a host controls before the signature is read. */
const MAX_LEVELS = 256
const MAX_IDENTITIES = 32
const MAX_ADVISORIES = 256
/** Real components fit a byte. A larger one can never be reached, which is safe; Intel's own sample has such. */
const MAX_SVN = 65_535

/** What Intel says of a TCB level. */
export const PLATFORM_STATUSES = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'Revoked',
] as const
export type PlatformStatus = (typeof PLATFORM_STATUSES)[number]

/** What Intel says of a level of the TDX module or the quoting enclave. */
export const ENCLAVE_STATUSES = ['UpToDate', 'OutOfDate', 'Revoked'] as const
export type EnclaveStatus = (typeof ENCLAVE_STATUSES)[number]

/** A level, whatever it is a level of. */
export interface Level<Status> {
  readonly status: Status
  readonly tcbDateMs: number
  readonly advisoryIds: readonly string[]
}

export interface PlatformLevel extends Level<PlatformStatus> {
  readonly sgxComponents: readonly number[]
  readonly pceSvn: number
  /** Empty in SGX TCB info. */
  readonly tdxComponents: readonly number[]
}

/** A level of the TDX module or of the quoting enclave. */
export interface EnclaveLevel extends Level<EnclaveStatus> {
  readonly isvSvn: number
}

export interface TdxModule {
  readonly mrSigner: Uint8Array
  readonly attributes: Uint8Array
}

export interface TdxModuleIdentity extends TdxModule {
  /** `TDX_03`: the module's major version in hex. */
  readonly id: string
  /** Highest first. */
  readonly levels: readonly EnclaveLevel[]
}

export interface TcbInfo extends Omit<SignedJson, 'body'> {
  readonly tee: 'sgx' | 'tdx'
  readonly version: 2 | 3
  readonly issuedAtMs: number
  readonly nextUpdateMs: number
  readonly fmspc: Uint8Array
  readonly pceId: Uint8Array
  readonly evaluationDataNumber: number
  readonly tdx: { readonly module: TdxModule; readonly identities: readonly TdxModuleIdentity[] } | null
  /** Highest first. */
  readonly levels: readonly PlatformLevel[]
}

/** Reads the response of the service, byte for byte. Throws `attestation.tcb-info-format` with the field. */
export function parseTcbInfo(bytes: Uint8Array): TcbInfo {
  const { signed, signature, body } = readSignedJson(bytes, 'tcbInfo', CODE)
  const version = body.integer('version', 3)
  if (version !== 2 && version !== 3) throw body.wrong('version', `${version}`)
  // Version 2 knew SGX only and did not say so.
  const tee = version === 2 && !body.has('id') ? 'sgx' : body.word('id', ['SGX', 'TDX']) === 'TDX' ? 'tdx' : 'sgx'
  if (tee === 'tdx' && version !== 3) throw body.wrong('version', `${version} for TDX`)
  if (body.integer('tcbType', 255) !== 0) throw body.wrong('tcbType', 'another type than 0')
  const levels = body.list('tcbLevels', MAX_LEVELS).map((level) => readPlatformLevel(level, tee, version))
  if (levels.length === 0) throw body.wrong('tcbLevels', 'no level')
  return {
    signed,
    signature,
    tee,
    version,
    issuedAtMs: body.time('issueDate'),
    nextUpdateMs: body.time('nextUpdate'),
    fmspc: body.hex('fmspc', 6),
    pceId: body.hex('pceId', 2),
    evaluationDataNumber: body.integer('tcbEvaluationDataNumber', 2 ** 31),
    tdx: tee === 'tdx' ? readTdx(body) : null,
    levels: levels.toSorted(byHighest),
  }
}

function readPlatformLevel(level: JsonFields, tee: 'sgx' | 'tdx', version: 2 | 3): PlatformLevel {
  const tcb = level.object('tcb')
  return {
    sgxComponents: version === 2 ? numberedComponents(tcb) : components(tcb, 'sgxtcbcomponents'),
    pceSvn: tcb.integer('pcesvn', 65_535),
    tdxComponents: tee === 'tdx' ? components(tcb, 'tdxtcbcomponents') : [],
    ...readLevel(level, PLATFORM_STATUSES),
  }
}

/** Version 2: `sgxtcbcomp01svn` to `sgxtcbcomp16svn`. */
const numberedComponents = (tcb: JsonFields): number[] =>
  Array.from({ length: COMPONENTS }, (_, i) => tcb.integer(`sgxtcbcomp${`${i + 1}`.padStart(2, '0')}svn`, MAX_SVN))

function components(tcb: JsonFields, name: string): number[] {
  const list = tcb.list(name, COMPONENTS)
  if (list.length !== COMPONENTS) throw tcb.wrong(name, `${list.length} components`)
  return list.map((one) => one.integer('svn', MAX_SVN))
}

function readTdx(body: JsonFields): NonNullable<TcbInfo['tdx']> {
  const list = body.has('tdxModuleIdentities') ? body.list('tdxModuleIdentities', MAX_IDENTITIES) : []
  const identities = list.map((identity) => ({
    id: identity.string('id', /^TDX_[0-9A-Fa-f]{2}$/).toUpperCase(),
    ...readModule(identity),
    levels: readEnclaveLevels(identity),
  }))
  if (new Set(identities.map(({ id }) => id)).size !== identities.length)
    throw body.wrong('tdxModuleIdentities', 'the same id twice')
  return { module: readModule(body.object('tdxModule')), identities }
}

function readModule(from: JsonFields): TdxModule {
  from.hex('attributesMask', 8)
  return { mrSigner: from.hex('mrsigner', 48), attributes: from.hex('attributes', 8) }
}

/** `tcbLevels` of a TDX module identity or a QE identity, highest first; at least one. */
export function readEnclaveLevels(from: JsonFields): EnclaveLevel[] {
  const levels = from.list('tcbLevels', MAX_LEVELS).map((level) => ({
    isvSvn: level.object('tcb').integer('isvsvn', 65_535),
    ...readLevel(level, ENCLAVE_STATUSES),
  }))
  if (levels.length === 0) throw from.wrong('tcbLevels', 'no level')
  return levels.toSorted((a, b) => b.isvSvn - a.isvSvn)
}

function readLevel<Status extends string>(level: JsonFields, statuses: readonly Status[]): Level<Status> {
  return {
    status: level.word('tcbStatus', statuses),
    tcbDateMs: level.time('tcbDate'),
    advisoryIds: level.has('advisoryIDs') ? level.strings('advisoryIDs', MAX_ADVISORIES, /^[A-Z0-9-]{1,32}$/) : [],
  }
}

/** Component by component, then the PCE. Published files are in this order already. */
function byHighest(a: PlatformLevel, b: PlatformLevel): number {
  const left = [...a.sgxComponents, a.pceSvn, ...a.tdxComponents]
  const right = [...b.sgxComponents, b.pceSvn, ...b.tdxComponents]
  const at = left.findIndex((svn, i) => svn !== right[i])
  return at === -1 ? 0 : (right[at] as number) - (left[at] as number)
}

/** Whether this TCB info is of that platform. Bytes are compared, so the case of its hex does not matter. */
export const isOfPlatform = (
  info: TcbInfo,
  platform: { readonly fmspc: Uint8Array; readonly pceId: Uint8Array },
): boolean => equalBytes(info.fmspc, platform.fmspc) && equalBytes(info.pceId, platform.pceId)
