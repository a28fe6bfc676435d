/**
 * Collateral verified once, for many quotes: chains to the trusted root, signatures, revocation, times. Browser-safe.
 * Source: spec/attestation-dcap.md, "Checks".
 */
import { concatBytes, equalBytes } from '../../../util/index.ts'
import { type Crl, isSignedBy, serialText, type VerifyCrypto, type VerifyKey } from '../../x509/index.ts'
import { type Check, Checklist, type Verification, verifiedOrThrow } from '../checks.ts'
import { DEFAULT_SKEW_MS, INTEL_SGX_ROOT_KEY, need, needValid, p256Spki, type Window, windowOf } from './checking.ts'
import type { DcapCollateral, SigningChain } from './collateral.ts'
import type { DcapErrorCode } from './errors.ts'
import { isSelfIssued, whyNoAuthority, whyNoEnd } from './pck.ts'

export interface VerifyDcapOptions {
  readonly crypto: VerifyCrypto
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** Default `DEFAULT_SKEW_MS`. */
  readonly skewMs?: number
  /** X ‖ Y of the root to trust. Default: Intel's. Another one is for tests with keys of their own. */
  readonly rootKey?: Uint8Array
}

/** Only `verifyDcapCollateral` makes one. It remembers the root and the cryptography, so that no quote gets others. */
export interface VerifiedDcapCollateral {
  readonly collateral: DcapCollateral
  readonly crypto: VerifyCrypto
  readonly skewMs: number
  /** SubjectPublicKeyInfo of the trusted root, and its key imported. */
  readonly rootSpki: Uint8Array
  readonly rootKey: VerifyKey
  /** SHA-384 of 04 ‖ X ‖ Y of the root's key: the collateral root hash. */
  readonly rootKeyHash: Uint8Array
  /** What does not depend on the time. */
  readonly checks: readonly Check[]
  /** What does, for every quote anew. */
  readonly windows: readonly Window[]
  /** When the first of its parts expires, the list of PCK revocations included: fetch new ones before. */
  readonly validUntilMs: number
}

/** Every check; the first that fails gives the code. Throws nothing about the collateral. */
export async function examineDcapCollateral(
  collateral: DcapCollateral,
  options: VerifyDcapOptions,
): Promise<Verification<VerifiedDcapCollateral>> {
  const { crypto, nowMs, skewMs = DEFAULT_SKEW_MS } = options
  const rootPoint = options.rootKey ?? INTEL_SGX_ROOT_KEY
  const rootSpki = p256Spki(rootPoint)
  const rootKey = await crypto.importKey('ecdsa-p256-sha256', rootSpki)
  const lasting = new Checklist()
  const { rootCaCrl, tcbInfo, tcbInfoChain, qeIdentity, qeIdentityChain } = collateral

  const rootSubject = tcbInfoChain.root.subject
  need(
    lasting,
    'root-crl-issuer',
    equalBytes(rootCaCrl.issuer, rootSubject),
    'attestation.root-crl-issuer',
    'The revocation list of the root CA is its own.',
  )
  need(
    lasting,
    'root-crl-signature',
    await isSignedBy(crypto, rootCaCrl, rootSpki),
    'attestation.root-crl-signature',
    'The root signed its revocation list.',
    { revoked: rootCaCrl.revoked.count },
  )
  await needChain(lasting, 'tcb-info', tcbInfoChain, rootSpki, rootCaCrl, crypto)
  await needChain(lasting, 'qe-identity', qeIdentityChain, rootSpki, rootCaCrl, crypto)
  await needSignature(lasting, 'tcb-info', tcbInfo, tcbInfoChain, crypto, {
    evaluationDataNumber: tcbInfo.evaluationDataNumber,
  })
  await needSignature(lasting, 'qe-identity', qeIdentity, qeIdentityChain, crypto, {
    evaluationDataNumber: qeIdentity.evaluationDataNumber,
  })
  const { checks } = lasting.finish({})
  const windows = windowsOf(collateral)
  const list = new Checklist()
  list.append(checks)
  for (const window of windows) needValid(list, window, nowMs, skewMs)
  if (list.failed || rootKey === null) return list.finish<VerifiedDcapCollateral>(null)
  return list.finish<VerifiedDcapCollateral>({
    collateral,
    crypto,
    skewMs,
    rootSpki,
    rootKey,
    rootKeyHash: await crypto.sha384(concatBytes(Uint8Array.of(4), rootPoint)),
    checks,
    windows,
    validUntilMs: Math.min(collateral.pckCrl.nextUpdateMs, ...windows.map((window) => window.untilMs)),
  })
}

/** The same, or the first failure thrown under its `attestation.*` code. */
export const verifyDcapCollateral = async (
  collateral: DcapCollateral,
  options: VerifyDcapOptions,
): Promise<VerifiedDcapCollateral> => verifiedOrThrow(await examineDcapCollateral(collateral, options))

type Name = 'tcb-info' | 'qe-identity'
const WHAT = { 'tcb-info': 'TCB info', 'qe-identity': 'QE identity' } as const
const CHAIN: DcapErrorCode = 'attestation.tcb-signing-chain'

async function needChain(
  list: Checklist,
  name: Name,
  { signer, root }: SigningChain,
  rootSpki: Uint8Array,
  rootCrl: Crl,
  crypto: VerifyCrypto,
): Promise<void> {
  const isRoot = equalBytes(root.spki, rootSpki)
  need(list, `${name}-signer-root`, isRoot, CHAIN, `The chain behind the ${WHAT[name]} ends in the trusted root.`)
  const why =
    (isSelfIssued(root) ? whyNoAuthority(root) : 'root is not self-issued') ??
    whyNoEnd(signer) ??
    (equalBytes(signer.issuer, root.subject) ? null : 'issued by another CA') ??
    ((await isSignedBy(crypto, root, root.spki)) ? null : 'root is not signed by itself') ??
    ((await isSignedBy(crypto, signer, root.spki)) ? null : 'signer is not signed by the root')
  const serial = serialText(signer.serial)
  need(list, `${name}-signer-chain`, why === null, CHAIN, `The signer of the ${WHAT[name]} is certified by the root.`, {
    serial,
    why,
  })
  const isListed = rootCrl.revoked.has(signer.serial)
  const code = 'attestation.tcb-signing-revoked'
  need(list, `${name}-signer-revocation`, !isListed, code, `The signer of the ${WHAT[name]} is not revoked.`, {
    serial,
  })
}

async function needSignature(
  list: Checklist,
  name: Name,
  { signed, signature }: { readonly signed: Uint8Array; readonly signature: Uint8Array },
  { signer }: SigningChain,
  crypto: VerifyCrypto,
  inputs: Readonly<Record<string, number>>,
): Promise<void> {
  const key = await crypto.importKey('ecdsa-p256-sha256', signer.spki)
  const isGood = key !== null && (await key.verify(signature, signed))
  need(list, `${name}-signature`, isGood, `attestation.${name}-signature`, `The ${WHAT[name]} is signed.`, inputs)
}

function windowsOf({ rootCaCrl, tcbInfo, tcbInfoChain, qeIdentity, qeIdentityChain }: DcapCollateral): Window[] {
  const certificates = [tcbInfoChain.signer, tcbInfoChain.root, qeIdentityChain.signer, qeIdentityChain.root]
  return [
    {
      id: 'root-crl-validity',
      code: 'attestation.root-crl-expired',
      what: 'The revocation list of the root CA',
      fromMs: rootCaCrl.thisUpdateMs,
      untilMs: rootCaCrl.nextUpdateMs,
    },
    windowOf('tcb-signing-validity', 'attestation.tcb-signing-expired', 'The chain behind TCB data', certificates),
    {
      id: 'tcb-info-validity',
      code: 'attestation.tcb-info-expired',
      what: 'The TCB info',
      fromMs: tcbInfo.issuedAtMs,
      untilMs: tcbInfo.nextUpdateMs,
    },
    {
      id: 'qe-identity-validity',
      code: 'attestation.qe-identity-expired',
      what: 'The QE identity',
      fromMs: qeIdentity.issuedAtMs,
      untilMs: qeIdentity.nextUpdateMs,
    },
  ]
}
