/**
 * The PCK chain of a quote as checks: certified by the trusted root, not revoked, valid at the time. Browser-safe.
 * Source: spec/attestation-dcap.md, "Checks".
 */
import { equalBytes } from '../../../util/index.ts'
import type { DcapQuote } from '../../quote/index.ts'
import { isSignedBy, isSignedWith, serialText } from '../../x509/index.ts'
import type { Checklist } from '../checks.ts'
import { need, needValid, windowOf } from './checking.ts'
import type { DcapErrorCode } from './errors.ts'
import { arrangePckChain, isSelfIssued, type PckChain, readChain, whyNoAuthority, whyNoEnd } from './pck.ts'
import type { VerifiedDcapCollateral } from './verify-collateral.ts'

/** The only certification data with certificates in it. */
const PCK_CHAIN_IN_PEM = 5
const CHAIN: DcapErrorCode = 'attestation.pck-chain'

/** The chain, in the quote or beside it, up to the trusted root; null when it fails. */
export async function needPckChain(
  list: Checklist,
  { certificationData }: DcapQuote,
  { collateral, crypto, rootSpki, rootKey }: VerifiedDcapCollateral,
): Promise<PckChain | null> {
  const isCarried = certificationData.type === PCK_CHAIN_IN_PEM
  const inputs = { type: certificationData.type, offset: certificationData.at }
  const words = {
    passed:
      collateral.pckChain === null ? 'The quote carries its PCK chain.' : 'The PCK chain is given beside the quote.',
    failed: 'The quote does not carry its PCK chain (certification data type 5), and none is given beside it.',
  }
  const code = 'attestation.certification-data-type'
  if (!list.require('certification-data', collateral.pckChain !== null || isCarried, code, words, inputs)) return null
  const chain = arrangePckChain(collateral.pckChain ?? readChain(certificationData.bytes, CHAIN))
  const { root, ca, leaf } = chain
  const isTrusted = equalBytes(root.spki, rootSpki)
  const trusted = 'The PCK chain ends in the trusted root key.'
  if (!need(list, 'pck-root', isTrusted, 'attestation.pck-root-untrusted', trusted)) return null
  const why =
    (isSelfIssued(root) ? whyNoAuthority(root) : 'root is not self-issued') ??
    whyNoAuthority(ca) ??
    whyNoEnd(leaf) ??
    (equalBytes(ca.issuer, root.subject) ? null : 'the CA is not issued by the root') ??
    (equalBytes(leaf.issuer, ca.subject) ? null : 'the leaf is not issued by the CA') ??
    ((await isSignedWith(rootKey, 'ecdsa-p256-sha256', root)) ? null : 'the root is not signed by itself') ??
    ((await isSignedWith(rootKey, 'ecdsa-p256-sha256', ca)) ? null : 'the CA is not signed by the root') ??
    ((await isSignedBy(crypto, leaf, ca.spki)) ? null : 'the leaf is not signed by the CA')
  const serials = { leaf: serialText(leaf.serial), ca: serialText(ca.serial) }
  const certified = 'The PCK is certified by its CA, and that by the root.'
  return need(list, 'pck-chain', why === null, CHAIN, certified, { ...serials, why }) ? chain : null
}

/** The list of the CA is the CA's, and neither leaf nor CA is revoked. */
export async function needPckCrl(
  list: Checklist,
  { ca, leaf }: PckChain,
  { collateral: { pckCrl, rootCaCrl }, crypto }: VerifiedDcapCollateral,
): Promise<boolean> {
  const isOfCa = equalBytes(pckCrl.issuer, leaf.issuer)
  const own = 'The revocation list for PCK certificates is of their CA.'
  if (!need(list, 'pck-crl-issuer', isOfCa, 'attestation.pck-crl-issuer', own)) return false
  const isSigned = await isSignedBy(crypto, pckCrl, ca.spki)
  const signed = 'The CA signed the revocation list for PCK certificates.'
  const inputs = { revoked: pckCrl.revoked.count }
  if (!need(list, 'pck-crl-signature', isSigned, 'attestation.pck-crl-signature', signed, inputs)) return false
  const [leafSerial, caSerial] = [serialText(leaf.serial), serialText(ca.serial)]
  const caIsGood = !rootCaCrl.revoked.has(ca.serial)
  const leafIsGood = !pckCrl.revoked.has(leaf.serial)
  need(list, 'pck-ca-revocation', caIsGood, 'attestation.pck-ca-revoked', 'The CA of the PCK is not revoked.', {
    serial: caSerial,
  })
  need(list, 'pck-revocation', leafIsGood, 'attestation.pck-revoked', 'The PCK is not revoked.', { serial: leafSerial })
  return caIsGood && leafIsGood
}

/** All of them are looked at, so that one refusal names everything that needs fetching. Returns what they leave together. */
export function needTimes(
  list: Checklist,
  { root, ca, leaf }: PckChain,
  { collateral: { pckCrl }, windows, skewMs }: VerifiedDcapCollateral,
  nowMs: number,
): { readonly fromMs: number; readonly untilMs: number } {
  const all = [
    windowOf('pck-chain-validity', 'attestation.pck-chain-expired', 'The PCK chain', [root, ca, leaf]),
    {
      id: 'pck-crl-validity',
      code: 'attestation.pck-crl-expired',
      what: 'The revocation list for PCK certificates',
      fromMs: pckCrl.thisUpdateMs,
      untilMs: pckCrl.nextUpdateMs,
    } as const,
    ...windows,
  ]
  for (const window of all) needValid(list, window, nowMs, skewMs)
  return {
    fromMs: Math.max(...all.map((window) => window.fromMs)),
    untilMs: Math.min(...all.map((window) => window.untilMs)),
  }
}
