/**
 * Certificates and revocation lists, read strictly and without trust; whether one is signed with a key, through
 * cryptography that is passed in. Browser-safe but for `crypto-node.ts`, which Node code takes by its own name.
 */
export {
  type Certificate,
  MAX_CERTIFICATE_BYTES,
  parseCertificate,
  parseExtendedKeyUsage,
} from './certificate.ts'
export { type Crl, MAX_CRL_BYTES, parseCrl, serialText } from './crl.ts'
export {
  encodeOcspRequest,
  isSameCertId,
  OCSP_HASH_BYTES,
  type OcspCertId,
  ocspCertIdOf,
  type OcspRequest,
  parseOcspRequest,
} from './ocsp-request.ts'
export {
  MAX_OCSP_BYTES,
  type OcspAnswer,
  type OcspResponse,
  type OcspStatus,
  parseOcspResponse,
} from './ocsp-response.ts'
export {
  type Eventually,
  type SignatureScheme,
  type VerifyCrypto,
  type VerifyKey,
  webVerifyCrypto,
} from './crypto.ts'
export { type DerElement, DerReader, explicitTag, implicitTag, readBits, readOid, TAG } from './der.ts'
export { X509_ERRORS, type X509ErrorCode } from './errors.ts'
export { type Extension, extensionOf } from './extensions.ts'
export { commonNameOf, NAME_OID, type NameAttribute, nameAttributes } from './name.ts'
export { MAX_PEM_BLOCKS, MAX_PEM_CHARACTERS, readPem, writePem } from './pem.ts'
export { ecdsaRaw, isSignedBy, isSignedWith, type Signed, schemeOf } from './signature.ts'
