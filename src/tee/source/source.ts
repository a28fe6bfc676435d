/**
 * Where a node's evidence about itself comes from: the guest's kernel, or a command that asks it. Implementations are told the
 * report data and know nothing of certificates; `ratls/` puts what they return into one. Browser-safe (types only).
 */

/** What the hardware signed, as it goes into a certificate. */
export type SourcedEvidence =
  | {
      readonly kind: 'tdx'
      /** A quote of version 4 or 5 with its PCK chain, without padding: at most 32768 bytes. */
      readonly quote: Uint8Array
    }
  | {
      readonly kind: 'sev-snp'
      /** 1184 bytes. */
      readonly report: Uint8Array
      /** DER of the VCEK or VLEK where the host handed it over; null leaves it to the verifier's collateral. */
      readonly chipCertificate: Uint8Array | null
    }

export interface EvidenceSource {
  readonly kind: SourcedEvidence['kind']
  /** For people and logs: `configfs-tsm (tdx_guest)`. */
  readonly description: string
  /**
   * Fresh evidence over 64 bytes of report data. The caller checks that it contains them. Takes up to seconds: hardware and
   * kernel answer one at a time. Rejects with `attestation.evidence-source` (what failed, and what to do) or the signal's reason.
   */
  quote(reportData: Uint8Array, signal: AbortSignal): Promise<SourcedEvidence>
}
