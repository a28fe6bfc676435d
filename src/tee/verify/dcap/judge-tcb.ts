/**
 * The TDX module and the TCB levels of one quote, as checks: the module is looked at before the signatures, the levels
 * after them. Browser-safe. Source: spec/attestation-dcap.md, "TCB status".
 */
import { equalBytes, isZero, toHex } from '../../../util/index.ts'
import type { DcapQuote } from '../../quote/index.ts'
import type { Checklist } from '../checks.ts'
import { need } from './checking.ts'
import type { DcapCollateral } from './collateral.ts'
import { isoSeconds } from './json.ts'
import type { PckFacts } from './pck.ts'
import type { EnclaveLevel, Level, PlatformStatus, TcbInfo } from './tcb-info.ts'
import {
  combine,
  enclaveLevel,
  moduleIdentity,
  moduleVersion,
  overallStatus,
  platformLevel,
  type TcbStatus,
} from './tcb-status.ts'

export interface JudgedTcb {
  readonly status: TcbStatus
  readonly launch: Level<PlatformStatus>
  readonly current: Level<PlatformStatus> | null
}

/**
 * Whether the quote's TDX module is one that Intel names; always so for SGX. The identity's mask is not applied: SEAM
 * attributes must be all zero, and Intel's identities say so.
 */
export function needTdxModule(list: Checklist, { body }: DcapQuote, { tdx }: TcbInfo): boolean {
  if (body.tee === 'sgx') return true
  const td = body.report
  const version = moduleVersion(td.teeTcbSvn)
  const identity = tdx === null ? null : version > 0 ? moduleIdentity(tdx.identities, version) : tdx.module
  const holds =
    identity !== null &&
    equalBytes(identity.mrSigner, td.mrSignerSeam) &&
    isZero(td.seamAttributes) &&
    equalBytes(identity.attributes, td.seamAttributes)
  return need(list, 'tdx-module', holds, 'attestation.tdx-module-mismatch', 'The TDX module is one that Intel names.', {
    version,
    isListed: identity !== null,
    mrSignerSeam: toHex(td.mrSignerSeam),
    seamAttributes: toHex(td.seamAttributes),
  })
}

/** The levels that a verified quote reaches; null when it misses one. */
export function judgeTcb(
  list: Checklist,
  quote: DcapQuote,
  pck: PckFacts,
  collateral: DcapCollateral,
): JudgedTcb | null {
  const td = quote.body.tee === 'tdx' ? quote.body.report : null
  const isvSvn = quote.qeReport.isvSvn
  const qe = enclaveLevel(collateral.qeIdentity.levels, isvSvn)
  const hasLevel = 'Intel lists a level for the quoting enclave.'
  need(list, 'qe-level', qe !== null, 'attestation.tcb-not-supported', hasLevel, { isvSvn, status: qe?.status ?? null })
  if (qe === null) return null
  const one = (name: 'launch' | 'current', teeTcbSvn: Uint8Array | null): Level<PlatformStatus> | null =>
    needLevels(list, name, teeTcbSvn, qe, pck, collateral.tcbInfo)
  const launch = one('launch', td?.teeTcbSvn ?? null)
  if (launch === null) return null
  const second = td?.later?.teeTcbSvn2 ?? null
  const current = second === null ? null : one('current', second)
  if (second !== null && current === null) return null
  const status = overallStatus(launch.status, current?.status ?? null)
  list.info('tcb-status', 'What Intel says of this platform; the policy decides whether it is enough.', {
    status,
    launch: launch.status,
    current: current?.status ?? null,
    date: isoSeconds(launch.tcbDateMs),
    advisoryIds: launch.advisoryIds.join(', '),
  })
  return { status, launch, current }
}

/** Platform, module and quoting enclave for one TEE_TCB_SVN (null for SGX). */
function needLevels(
  list: Checklist,
  name: 'launch' | 'current',
  teeTcbSvn: Uint8Array | null,
  qe: EnclaveLevel,
  pck: PckFacts,
  tcbInfo: TcbInfo,
): Level<PlatformStatus> | null {
  const svns = { sgxComponents: pck.components, pceSvn: pck.pceSvn, teeTcbSvn }
  const platform = platformLevel(tcbInfo.levels, svns)
  const code = 'attestation.tcb-not-supported'
  need(list, `tcb-level-${name}`, platform !== null, code, 'Intel lists a level that this platform reaches.', {
    sgxComponents: pck.components.join(' '),
    pceSvn: pck.pceSvn,
    teeTcbSvn: teeTcbSvn === null ? null : toHex(teeTcbSvn),
    status: platform?.status ?? null,
  })
  const version = teeTcbSvn === null ? 0 : moduleVersion(teeTcbSvn)
  if (teeTcbSvn === null || version === 0) return platform === null ? null : combine(platform, qe)
  const identity = moduleIdentity(tcbInfo.tdx?.identities ?? [], version)
  const module = enclaveLevel(identity?.levels ?? [], teeTcbSvn[0] as number)
  need(list, `tdx-module-level-${name}`, module !== null, code, 'Intel lists a level for the TDX module.', {
    version,
    svn: teeTcbSvn[0] as number,
    status: module?.status ?? null,
  })
  return platform === null || module === null ? null : combine(platform, qe, module)
}
