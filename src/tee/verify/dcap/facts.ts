/**
 * What a verified quote says, in a form that can be logged, served and shown as it is: hex, ISO dates, numbers. Policy
 * decides on it; nothing here is a judgement. Browser-safe. Source: spec/attestation-dcap.md, "Result".
 */
import { concatBytes, isZero, toHex } from '../../../util/index.ts'
import {
  decodeSgxAttributes,
  decodeTdAttributes,
  type DcapQuote,
  type QuoteBody,
  type QuoteVersion,
  type SgxAttributes,
  type SgxReport,
  type TdAttributes,
  type TdReport,
  type TdReportForm,
} from '../../quote/index.ts'
import { isoSeconds } from './json.ts'
import type { Level, PlatformStatus } from './tcb-info.ts'
import type { TcbStatus } from './tcb-status.ts'

/** What a policy may want to refuse and the signature does not judge. */
export type PolicyFlag = 'debug' | 'sept-ve-not-disabled' | 'migratable' | 'pks' | 'perfmon' | 'service-td'

/** A TCB with everything known against it. */
export interface TcbEvaluation<Status extends string = PlatformStatus> {
  readonly status: Status
  /** Up to when published weaknesses were weighed for this level: ISO 8601. */
  readonly date: string
  /** Sorted. */
  readonly advisoryIds: readonly string[]
}

export interface DcapTcb extends TcbEvaluation<TcbStatus> {
  /** The smaller of TCB info and QE identity. A host can serve an old one: keep the highest seen per FMSPC. */
  readonly evaluationDataNumber: number
  /** Of the TCB that the guest was started on, or the enclave runs on. */
  readonly launch: TcbEvaluation
  /** Of the TCB that the guest runs on now; null where the quote does not tell the two apart. */
  readonly current: TcbEvaluation | null
}

export type DcapMeasurements =
  | {
      readonly tee: 'tdx'
      readonly mrTd: string
      readonly mrConfigId: string
      readonly mrOwner: string
      readonly mrOwnerConfig: string
      readonly rtmrs: readonly string[]
      readonly mrSeam: string
      readonly mrSignerSeam: string
      /** Null before 1.5. */
      readonly mrServiceTd: string | null
    }
  | {
      readonly tee: 'sgx'
      readonly mrEnclave: string
      readonly mrSigner: string
      readonly isvProdId: number
      readonly isvSvn: number
    }

/** Bytes are lower-case hex. */
export interface DcapFacts {
  readonly tee: 'tdx' | 'sgx'
  readonly quoteVersion: QuoteVersion
  readonly reportForm: TdReportForm | 'sgx'
  readonly tcb: DcapTcb
  /** SHA-256 of the measurements with zeros for the report data: what registries list. */
  readonly imageHash: string
  readonly measurements: DcapMeasurements
  /** 64 bytes: what the guest wanted signed. */
  readonly reportData: string
  readonly attributes: { readonly raw: string } & (
    | ({ readonly tee: 'tdx' } & TdAttributes)
    | ({ readonly tee: 'sgx' } & SgxAttributes)
  )
  /** Processor features that the guest may use (TDX), or XFRM (SGX). */
  readonly xfam: string
  readonly flags: readonly PolicyFlag[]
  readonly platform: {
    readonly fmspc: string
    readonly pceId: string
    readonly pckSerial: string
    readonly pckIssuer: string
    readonly sgxComponents: readonly number[]
    readonly pceSvn: number
    readonly teeTcbSvn: string | null
    readonly teeTcbSvn2: string | null
  }
  readonly quotingEnclave: { readonly mrSigner: string; readonly isvProdId: number; readonly isvSvn: number }
  /** SHA-384 of the key that all chains end in. */
  readonly rootKeyHash: string
  /** Earliest end, and latest beginning, of everything that was relied on. */
  readonly validFrom: string
  readonly validUntil: string
  /** When Intel issued what was relied on. */
  readonly issued: {
    readonly tcbInfo: string
    readonly qeIdentity: string
    readonly pckCrl: string
    readonly rootCaCrl: string
  }
  /** Bytes after the quote, signed by nobody. */
  readonly trailingBytes: number
}

/** 64 zero bytes stand where the report data would be. */
const NO_REPORT_DATA = new Uint8Array(64)

/** What the image hash is the SHA-256 of. */
export function imageHashInput(body: QuoteBody): Uint8Array {
  if (body.tee === 'sgx') return concatBytes(body.report.mrEnclave, NO_REPORT_DATA)
  const { mrTd, mrConfigId, mrOwner, mrOwnerConfig, rtmrs } = body.report
  return concatBytes(mrTd, mrConfigId, mrOwner, mrOwnerConfig, ...rtmrs, NO_REPORT_DATA)
}

export function evaluationOf(level: Level<PlatformStatus>): TcbEvaluation {
  return { status: level.status, date: isoSeconds(level.tcbDateMs), advisoryIds: level.advisoryIds }
}

/** Everything that stands in the quote itself. */
export function quoteFacts(
  quote: DcapQuote,
): Pick<
  DcapFacts,
  | 'tee'
  | 'quoteVersion'
  | 'reportForm'
  | 'measurements'
  | 'reportData'
  | 'attributes'
  | 'xfam'
  | 'flags'
  | 'quotingEnclave'
  | 'trailingBytes'
> {
  const { body, qeReport } = quote
  return {
    tee: body.tee,
    quoteVersion: quote.version,
    reportForm: body.tee === 'sgx' ? 'sgx' : body.form,
    reportData: toHex(body.report.reportData),
    ...(body.tee === 'sgx' ? sgxFacts(body.report) : tdxFacts(body.report)),
    quotingEnclave: {
      mrSigner: toHex(qeReport.mrSigner),
      isvProdId: qeReport.isvProdId,
      isvSvn: qeReport.isvSvn,
    },
    trailingBytes: quote.trailing.bytes,
  }
}

type BodyFacts = Pick<DcapFacts, 'measurements' | 'attributes' | 'xfam' | 'flags'>

function sgxFacts(report: SgxReport): BodyFacts {
  const attributes = decodeSgxAttributes(report.attributes)
  return {
    measurements: {
      tee: 'sgx',
      mrEnclave: toHex(report.mrEnclave),
      mrSigner: toHex(report.mrSigner),
      isvProdId: report.isvProdId,
      isvSvn: report.isvSvn,
    },
    attributes: { tee: 'sgx', raw: toHex(report.attributes.subarray(0, 8)), ...attributes },
    xfam: toHex(report.attributes.subarray(8)),
    flags: attributes.debug ? ['debug'] : [],
  }
}

function tdxFacts(report: TdReport): BodyFacts {
  const attributes = decodeTdAttributes(report.tdAttributes)
  const mrServiceTd = report.later?.mrServiceTd ?? null
  const raised: readonly (readonly [PolicyFlag, boolean])[] = [
    ['debug', attributes.debug],
    ['sept-ve-not-disabled', !attributes.septVeDisable],
    ['migratable', attributes.migratable],
    ['pks', attributes.protectionKeys],
    ['perfmon', attributes.perfmon],
    ['service-td', mrServiceTd !== null && !isZero(mrServiceTd)],
  ]
  return {
    measurements: {
      tee: 'tdx',
      mrTd: toHex(report.mrTd),
      mrConfigId: toHex(report.mrConfigId),
      mrOwner: toHex(report.mrOwner),
      mrOwnerConfig: toHex(report.mrOwnerConfig),
      rtmrs: report.rtmrs.map(toHex),
      mrSeam: toHex(report.mrSeam),
      mrSignerSeam: toHex(report.mrSignerSeam),
      mrServiceTd: mrServiceTd === null ? null : toHex(mrServiceTd),
    },
    attributes: { tee: 'tdx', raw: toHex(report.tdAttributes), ...attributes },
    xfam: toHex(report.xfam),
    flags: raised.filter(([, is]) => is).map(([flag]) => flag),
  }
}
