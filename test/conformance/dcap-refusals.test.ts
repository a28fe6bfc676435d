/** What Intel never publishes, made with keys of our own: every refusal of DCAP verification has its code. */
import { describe, expect, test } from 'vitest'
import {
  DCAP_ERRORS,
  type DcapCollateralSource,
  type DcapFacts,
  parseDcapCollateral,
  verifyDcapCollateral,
  verifyDcapQuote,
} from '../../src/tee/verify/dcap/index.ts'
import { DCAP_QUOTE_ERRORS } from '../../src/tee/quote/index.ts'
import { nodeVerifyCrypto } from '../../src/tee/x509/crypto-node.ts'
import { der, sequence, TAG, TRUE } from '../../src/tee/x509/der.ts'
import { CocoonError, concatBytes, toHex } from '../../src/util/index.ts'
import {
  BASIC_CA,
  BASIC_END,
  DAY_MS,
  enclaveLevelJson,
  extension,
  iso,
  makeCertificate,
  makeCrl,
  makeKey,
  makeWorld,
  NOW_MS,
  pem,
  platformLevelJson,
  SERIALS,
  sgxExtension,
  USAGE_CA,
  type World,
  type WorldParts,
} from '../support/dcap-maker.ts'

const stranger = makeKey()

async function facts(world: World, source: Partial<DcapCollateralSource> = {}, nowMs = NOW_MS): Promise<DcapFacts> {
  const collateral = parseDcapCollateral({ ...world.source, ...source })
  const verified = await verifyDcapCollateral(collateral, { crypto: nodeVerifyCrypto, nowMs, rootKey: world.rootKey })
  return (await verifyDcapQuote(world.quote, verified, nowMs)).facts
}

/** The code without its family, or the status. */
async function outcome(overrides: Partial<WorldParts>, source: Partial<DcapCollateralSource> = {}): Promise<string> {
  try {
    return (await facts(makeWorld(overrides), source)).tcb.status
  } catch (error) {
    if (!(error instanceof CocoonError)) throw error
    return error.code.replace('attestation.', '')
  }
}

const past = { notAfterMs: NOW_MS - 1000 }
const future = { notBeforeMs: NOW_MS + DAY_MS }
const criticalExtension = [extension('1.2.3.4', true, new Uint8Array(2))]

const REFUSALS: readonly (readonly [string, string, Partial<WorldParts>, Partial<DcapCollateralSource>?])[] = [
  // The PCK chain.
  ['pck-chain', 'two certificates', { chainOrder: ['leaf', 'ca'] }],
  ['pck-chain', 'four certificates', { chainOrder: ['leaf', 'ca', 'root', 'root'] }],
  ['pck-chain', 'the leaf twice', { chainOrder: ['leaf', 'leaf', 'root'] }],
  ['pck-chain', 'text behind the chain', { afterChain: 'x' }],
  ['pck-chain', 'two NULs behind the chain', { afterChain: '\0\0' }],
  ['pck-chain', 'a leaf signed by a stranger', { leaf: { signedBy: stranger } }],
  ['pck-chain', 'a CA signed by a stranger', { caCertificate: { signedBy: stranger } }],
  ['tcb-signing-chain', 'a root signed by a stranger', { root: { signedBy: stranger } }],
  ['pck-chain', 'a CA that is none', { caCertificate: { usual: [BASIC_END, USAGE_CA] } }],
  ['pck-chain', 'a CA that says nothing about being one', { caCertificate: { usual: [] } }],
  [
    'pck-chain',
    'a CA that may sign certificates but no lists',
    { caCertificate: { usual: [BASIC_CA, extension('2.5.29.15', true, der(TAG.bitString, Uint8Array.of(2, 0x04)))] } },
  ],
  ['tcb-signing-chain', 'a root that is no CA', { root: { usual: [BASIC_END, USAGE_CA] } }],
  ['pck-chain', 'a leaf that is a CA', { leaf: { usual: [BASIC_CA, USAGE_CA] } }],
  ['pck-chain', 'an unknown critical extension in the CA', { caCertificate: { more: criticalExtension } }],
  ['pck-chain', 'a leaf of another name', { leaf: { subject: 'Intel SGX Something' } }],
  ['pck-chain', 'a leaf issued under another CA’s name', { leaf: { issuer: 'Intel SGX PCK Processor CA' } }],
  ['pck-extension', 'a leaf without SGX facts', { leaf: { more: [] } }],
  [
    'pck-extension',
    'an SVN above 255',
    {
      leaf: {
        more: [
          sgxExtension({
            fmspc: '00A0B1C2D3E4',
            pceId: '0000',
            components: [256, ...Array<number>(15).fill(1)],
            pceSvn: 1,
          }),
        ],
      },
    },
  ],
  [
    'pck-extension',
    'an FMSPC of five bytes',
    {
      leaf: {
        more: [sgxExtension({ fmspc: '00A0B1C2D3', pceId: '0000', components: Array<number>(16).fill(1), pceSvn: 1 })],
      },
    },
  ],
  [
    'pck-extension',
    'fifteen components',
    {
      leaf: {
        more: [
          sgxExtension({ fmspc: '00A0B1C2D3E4', pceId: '0000', components: Array<number>(15).fill(1), pceSvn: 1 }),
        ],
      },
    },
  ],
  ['pck-chain-expired', 'a leaf of the past', { leaf: past }],
  ['pck-chain-expired', 'a CA of the past', { caCertificate: past }],
  ['pck-chain-expired', 'a leaf of the future', { leaf: future }],
  // Revocation lists.
  ['pck-revoked', 'a revoked leaf', { pckCrl: { revoked: [1, SERIALS.leaf, 2] } }],
  ['pck-ca-revoked', 'a revoked CA', { rootCrl: { revoked: [SERIALS.ca] } }],
  ['tcb-signing-revoked', 'a revoked signer', { rootCrl: { revoked: [SERIALS.signer] } }],
  ['pck-crl-missing', 'no list of the CA', {}, { pckCrl: null }],
  ['pck-crl-missing', 'a list of no bytes', {}, { pckCrl: new Uint8Array() }],
  ['pck-crl-missing', 'a list of no text', {}, { pckCrl: '' }],
  ['pck-crl-format', 'a list that is no DER', {}, { pckCrl: new Uint8Array(100) }],
  ['pck-crl-format', 'an empty sequence', {}, { pckCrl: Uint8Array.of(0x30, 0) }],
  ['pck-crl-format', 'a web page', {}, { pckCrl: '<html></html>' }],
  ['pck-crl-format', 'a list without an end', { pckCrl: { nextUpdateMs: null } }],
  [
    'pck-crl-format',
    'a list for some certificates only',
    { pckCrl: { extensions: [extension('2.5.29.28', true, sequence(der(0x81, Uint8Array.of(0xff))))] } },
  ],
  ['pck-crl-issuer', 'a list of another CA', { pckCrl: { issuer: 'Intel SGX PCK Processor CA' } }],
  ['pck-crl-signature', 'a list signed by a stranger', { pckCrl: { signedBy: stranger } }],
  ['pck-crl-expired', 'a list of the past', { pckCrl: { nextUpdateMs: NOW_MS - 1000 } }],
  ['pck-crl-expired', 'a list of the future', { pckCrl: { thisUpdateMs: NOW_MS + DAY_MS } }],
  ['root-crl-missing', 'no list of the root', {}, { rootCaCrl: null }],
  ['root-crl-missing', 'a list of the root of no bytes', {}, { rootCaCrl: new Uint8Array() }],
  ['root-crl-format', 'a list of the root that is no DER', {}, { rootCaCrl: 'zz' }],
  ['root-crl-format', 'a list of the root without an end', { rootCrl: { nextUpdateMs: null } }],
  ['root-crl-issuer', 'a list of another root', { rootCrl: { issuer: 'Another Root CA' } }],
  ['root-crl-signature', 'a list of the root signed by a stranger', { rootCrl: { signedBy: stranger } }],
  ['root-crl-expired', 'a list of the root of the past', { rootCrl: { nextUpdateMs: NOW_MS - 1000 } }],
  // The signer of TCB data.
  ['tcb-signing-chain', 'no chain', {}, { tcbInfoIssuerChain: '' }],
  ['tcb-signing-chain', 'no chain behind the QE identity', {}, { qeIdentityIssuerChain: '' }],
  ['tcb-signing-chain', 'a signer of another name', { signer: { subject: 'Intel SGX PCK Certificate' } }],
  ['tcb-signing-chain', 'a signer signed by a stranger', { signer: { signedBy: stranger } }],
  ['tcb-signing-chain', 'a signer that is a CA', { signer: { usual: [BASIC_CA, USAGE_CA] } }],
  ['tcb-signing-chain', 'a signer issued by the PCK CA', { signer: { issuer: 'Intel SGX PCK Platform CA' } }],
  ['tcb-signing-expired', 'a signer of the past', { signer: past }],
  ['tcb-signing-expired', 'a signer of the future', { signer: future }],
  // TCB info.
  ['tcb-info-signature', 'TCB info signed by a stranger', { tcbInfoSignedBy: stranger }],
  ['tcb-info-expired', 'TCB info of the past', { tcbInfo: { nextUpdate: iso(NOW_MS - 1000) } }],
  ['tcb-info-expired', 'TCB info of the future', { tcbInfo: { issueDate: iso(NOW_MS + DAY_MS) } }],
  ['tcb-info-mismatch', 'another FMSPC', { tcbInfo: { fmspc: '00a0b1c2d3e5' } }],
  ['tcb-info-mismatch', 'another PCE id', { tcbInfo: { pceId: '0001' } }],
  ['tcb-info-format', 'a version of the future', { tcbInfo: { version: 4 } }],
  ['tcb-info-format', 'TDX in version 2', { tcbInfo: { version: 2 } }],
  ['tcb-info-format', 'TCB info of SGX', { tcbInfo: { id: 'SGX' } }],
  ['tcb-info-format', 'a tcbType of the future', { tcbInfo: { tcbType: 1 } }],
  ['tcb-info-format', 'no levels', { tcbInfo: { tcbLevels: [] } }],
  ['tcb-info-format', 'levels that are no list', { tcbInfo: { tcbLevels: {} } }],
  ['tcb-info-format', 'an unknown status', { tcbInfo: { tcbLevels: [platformLevelJson(1, 1, [], 'Fine')] } }],
  [
    'tcb-info-format',
    'fifteen components',
    {
      tcbInfo: {
        tcbLevels: [
          {
            ...platformLevelJson(1, 1, [], 'UpToDate'),
            tcb: {
              sgxtcbcomponents: Array(15).fill({ svn: 0 }),
              pcesvn: 1,
              tdxtcbcomponents: Array(16).fill({ svn: 0 }),
            },
          },
        ],
      },
    },
  ],
  ['tcb-info-format', 'a negative SVN', { tcbInfo: { tcbLevels: [platformLevelJson(-1, 1, [], 'UpToDate')] } }],
  [
    'tcb-info-format',
    'an SVN in quotes',
    { tcbInfo: { tcbLevels: [platformLevelJson('1' as unknown as number, 1, [], 'UpToDate')] } },
  ],
  ['tcb-info-format', 'no FMSPC', { tcbInfo: { fmspc: undefined } }],
  ['tcb-info-format', 'a date that does not exist', { tcbInfo: { issueDate: '2026-02-30T00:00:00Z' } }],
  ['tcb-info-format', 'a date with an offset', { tcbInfo: { nextUpdate: '2026-12-01T00:00:00+01:00' } }],
  [
    'tcb-info-format',
    'a relaunch status in a level',
    { tcbInfo: { tcbLevels: [platformLevelJson(1, 1, [], 'TDRelaunchAdvised')] } },
  ],
  ['tcb-info-format', 'no JSON', {}, { tcbInfo: 'tcbInfo' }],
  ['tcb-info-format', 'no signature', {}, { tcbInfo: '{"tcbInfo":{}}' }],
  ['tcb-info-format', 'a third member', {}, { tcbInfo: '{"tcbInfo":{},"signature":"","more":1}' }],
  ['tcb-info-format', 'nothing', {}, { tcbInfo: '' }],
  // QE identity.
  ['qe-identity-signature', 'a QE identity signed by a stranger', { qeIdentitySignedBy: stranger }],
  ['qe-identity-expired', 'a QE identity of the past', { qeIdentity: { nextUpdate: iso(NOW_MS - 1000) } }],
  ['qe-identity-format', 'a QE identity of version 3', { qeIdentity: { version: 3 } }],
  ['qe-identity-format', 'the QE identity of SGX', { qeIdentity: { id: 'QE' } }],
  ['qe-identity-format', 'the identity of another enclave', { qeIdentity: { id: 'QVE' } }],
  ['qe-identity-format', 'no mask', { qeIdentity: { attributesMask: undefined } }],
  ['qe-identity-format', 'no levels of the QE', { qeIdentity: { tcbLevels: [] } }],
  [
    'qe-identity-format',
    'a platform status for the QE',
    { qeIdentity: { tcbLevels: [enclaveLevelJson(1, 'SWHardeningNeeded')] } },
  ],
  ['qe-identity-mismatch', 'another MRSIGNER', { qeIdentity: { mrsigner: '00'.repeat(32) } }],
  ['qe-identity-mismatch', 'another ISVPRODID', { qeIdentity: { isvprodid: 1 } }],
  ['qe-identity-mismatch', 'another MISCSELECT', { qeIdentity: { miscselect: '01000000' } }],
  [
    'qe-identity-mismatch',
    'other attributes under the mask',
    { qeIdentity: { attributes: '13000000000000000000000000000000' } },
  ],
  ['tcb-not-supported', 'a QE below every level', { qeIsvSvn: 3 }],
  // The TDX module.
  ['tdx-module-mismatch', 'a module version that is not listed', { teeTcbSvn: [5, 2, 3] }],
  ['tdx-module-mismatch', 'a module of another signer', { mrSignerSeam: new Uint8Array(48).fill(1) }],
  [
    'tdx-module-mismatch',
    'SEAM attributes that are not zero',
    { seamAttributes: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) },
  ],
  [
    'tdx-module-mismatch',
    'module 0 of another signer',
    { teeTcbSvn: [5, 0, 3], mrSignerSeam: new Uint8Array(48).fill(1) },
  ],
  ['tcb-not-supported', 'a module below every level', { teeTcbSvn: [1, 1, 3] }],
  // The quote.
  ['qe-report-signature', 'a QE report signed by a stranger', { qeReportSignedBy: stranger }],
  ['attestation-key-binding', 'an attestation key that the QE does not name', { bindTo: new Uint8Array(32) }],
  ['quote-signature', 'a quote signed by a stranger', { quoteSignedBy: stranger }],
  // TCB levels.
  [
    'tcb-not-supported',
    'one component below every level',
    { platform: { fmspc: '00A0B1C2D3E4', pceId: '0000', components: [1, ...Array<number>(15).fill(9)], pceSvn: 13 } },
  ],
  [
    'tcb-not-supported',
    'a PCE below every level',
    { platform: { fmspc: '00A0B1C2D3E4', pceId: '0000', components: Array<number>(16).fill(9), pceSvn: 10 } },
  ],
  ['tcb-not-supported', 'a loader below every level', { teeTcbSvn: [5, 1, 1] }],
  ['tcb-not-supported', 'a current TCB below every level', { version: 5, form: '1.5', teeTcbSvn2: [5, 1, 1] }],
  ['tcb-not-supported', 'a current module that is not listed', { version: 5, form: '1.5', teeTcbSvn2: [5, 9, 3] }],
]

describe('refused', () => {
  for (const [code, what, overrides, source] of REFUSALS)
    test(`${code}: ${what}`, async () => {
      expect(await outcome(overrides, source)).toBe(code)
    })

  test('pck-root-untrusted: a quote under a root of its own', async () => {
    const [ours, theirs] = [makeWorld(), makeWorld()]
    await expect(facts({ ...ours, quote: theirs.quote })).rejects.toMatchObject({
      code: 'attestation.pck-root-untrusted',
    })
  })

  test('pck-chain: the trusted root key in a certificate that it did not sign, or that is no CA', async () => {
    const world = makeWorld()
    const root = {
      subject: 'Intel SGX Root CA',
      issuer: 'Intel SGX Root CA',
      serial: 1,
      key: world.keys.root,
      more: [],
    }
    const dates = { notBeforeMs: NOW_MS - DAY_MS, notAfterMs: NOW_MS + DAY_MS }
    const { leaf, ca } = world.certificates
    for (const wrong of [
      makeCertificate({ ...root, ...dates, signedBy: stranger, isCa: true }),
      makeCertificate({ ...root, ...dates, signedBy: world.keys.root, isCa: false }),
    ])
      await expect(facts(world, { pckChain: pem(leaf, ca, wrong) })).rejects.toMatchObject({
        code: 'attestation.pck-chain',
      })
  })

  test('every code of verification is reached by one of these', () => {
    const reached = new Set(
      ['pck-root-untrusted', ...REFUSALS.map(([code]) => code)].map((code) => `attestation.${code}`),
    )
    expect(Object.keys(DCAP_ERRORS).filter((code) => !reached.has(code))).toEqual([])
    expect(Object.keys(DCAP_QUOTE_ERRORS)).toHaveLength(7)
  })

  test('a PCK, its CA or the root as the signer of TCB data', async () => {
    const world = makeWorld()
    const { leaf, ca, root } = world.certificates
    for (const one of [leaf, ca, root])
      await expect(facts(world, { tcbInfoIssuerChain: pem(one, root) })).rejects.toMatchObject({
        code: 'attestation.tcb-signing-chain',
      })
  })

  test('a quote cut short, with the field and the offset in the error and in the check', async () => {
    const world = makeWorld()
    const cut = { ...world, quote: world.quote.subarray(0, 700) }
    const where = { field: 'signatureData', offset: 636 }
    await expect(facts(cut)).rejects.toMatchObject({ code: 'attestation.quote-malformed', info: where })
  })

  test('TCB data and its signer under a root of their own', async () => {
    const [ours, theirs] = [makeWorld(), makeWorld()]
    const foreign = { tcbInfo: theirs.source.tcbInfo, tcbInfoIssuerChain: theirs.source.tcbInfoIssuerChain }
    await expect(facts(ours, foreign)).rejects.toMatchObject({ code: 'attestation.tcb-signing-chain' })
  })

  test('a list with a revoked entry that is about somebody else’s certificate', async () => {
    const world = makeWorld()
    const indirect = makeCrl({
      issuer: 'Intel SGX PCK Platform CA',
      signedBy: world.keys.ca,
      thisUpdateMs: NOW_MS,
      nextUpdateMs: NOW_MS + DAY_MS,
      revoked: [],
      extensions: [extension('2.5.29.27', true, sequence(TRUE))],
    })
    await expect(facts(world, { pckCrl: indirect })).rejects.toMatchObject({ code: 'attestation.pck-crl-format' })
  })
})

describe('accepted', () => {
  const GOOD: readonly (readonly [string, string, Partial<WorldParts>])[] = [
    ['UpToDate', 'version 4', {}],
    ['UpToDate', 'version 5 with a 1.0 body', { version: 5 }],
    ['UpToDate', 'version 5 with a 1.5 body', { version: 5, form: '1.5' }],
    ['UpToDate', 'version 5 with an extended body', { version: 5, form: '1.5-extended' }],
    ['UpToDate', 'a chain in another order', { chainOrder: ['leaf', 'root', 'ca'] }],
    ['UpToDate', 'a chain with the root first', { chainOrder: ['root', 'ca', 'leaf'] }],
    ['UpToDate', 'a chain without NUL behind', { afterChain: '' }],
    ['UpToDate', 'the Processor CA', { ca: 'Processor' }],
    ['UpToDate', 'an FMSPC in lower case', { tcbInfo: { fmspc: '00a0b1c2d3e4' } }],
    ['UpToDate', 'module 0, whose first two bytes are components', { teeTcbSvn: [5, 0, 3] }],
    ['OutOfDate', 'module 0 with a lower first byte', { teeTcbSvn: [4, 0, 3] }],
    [
      'UpToDate',
      'module 1 with a lower first byte than the level’s, which its identity judges',
      { teeTcbSvn: [5, 1, 3], tcbInfo: { tcbLevels: [platformLevelJson(3, 13, [9, 9, 3], 'UpToDate')] } },
    ],
    ['OutOfDate', 'an outdated module', { teeTcbSvn: [4, 1, 3] }],
    ['OutOfDate', 'an outdated QE', { qeIsvSvn: 5 }],
    [
      'OutOfDate',
      'an outdated platform',
      { platform: { fmspc: '00A0B1C2D3E4', pceId: '0000', components: Array<number>(16).fill(2), pceSvn: 12 } },
    ],
    [
      'UpToDate',
      'levels that are listed lowest first',
      { tcbInfo: { tcbLevels: [platformLevelJson(2, 11, [], 'OutOfDate'), platformLevelJson(3, 13, [], 'UpToDate')] } },
    ],
    [
      'UpToDate',
      'QE levels that are listed lowest first',
      { qeIdentity: { tcbLevels: [enclaveLevelJson(4, 'OutOfDate'), enclaveLevelJson(6, 'UpToDate')] } },
    ],
    [
      'Revoked',
      'a revoked platform level, which policy refuses',
      { tcbInfo: { tcbLevels: [platformLevelJson(3, 13, [], 'Revoked')] } },
    ],
    [
      'OutOfDateConfigurationNeeded',
      'a configuration to change and an outdated QE',
      { qeIsvSvn: 5, tcbInfo: { tcbLevels: [platformLevelJson(3, 13, [], 'ConfigurationNeeded')] } },
    ],
    [
      'TDRelaunchAdvised',
      'a guest started on an outdated module, which is current now',
      { version: 5, form: '1.5', teeTcbSvn: [4, 1, 3] },
    ],
    [
      'TDRelaunchAdvisedConfigurationNeeded',
      'the same with a configuration to change',
      {
        version: 5,
        form: '1.5',
        teeTcbSvn: [4, 1, 3],
        tcbInfo: { tcbLevels: [platformLevelJson(3, 13, [5, 0, 3], 'ConfigurationNeeded')] },
      },
    ],
    [
      'OutOfDate',
      'a guest on an outdated module then and now',
      { version: 5, form: '1.5', teeTcbSvn: [3, 1, 3], teeTcbSvn2: [4, 1, 3] },
    ],
    ['UpToDate', 'unknown fields in TCB info', { tcbInfo: { note: 'new' } }],
  ]

  test.each(GOOD)('%s: %s', async (status, _, overrides) => {
    expect(await outcome(overrides)).toBe(status)
  })

  test('dates are the earliest, advisories the union, the evaluation number the smaller', async () => {
    const { tcb } = await facts(makeWorld({ qeIsvSvn: 5, teeTcbSvn: [4, 1, 2] }))
    expect(tcb).toMatchObject({
      status: 'OutOfDate',
      date: '2025-01-01T00:00:00Z',
      advisoryIds: ['INTEL-SA-00001', 'INTEL-SA-00002', 'INTEL-SA-00003'],
      evaluationDataNumber: 20,
    })
  })

  test('a debuggable guest, with a flag for the policy', async () => {
    const { flags, attributes } = await facts(makeWorld({ tdAttributes: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0x80) }))
    expect(flags).toEqual(['debug', 'sept-ve-not-disabled', 'perfmon'])
    expect(attributes).toMatchObject({ debug: true, septVeDisable: false, otherBits: '0000000000000000' })
  })

  test('lists as PEM, and as the hex of a caching service', async () => {
    const world = makeWorld()
    const [root, pck] = [world.source.rootCaCrl as Uint8Array, world.source.pckCrl as Uint8Array]
    const asPem = pem(pck).replaceAll('CERTIFICATE', 'X509 CRL')
    await expect(facts(world, { rootCaCrl: `${toHex(root)}\n`, pckCrl: asPem })).resolves.toBeDefined()
  })

  test('white space around the signed object, which is signed as it was delivered', async () => {
    const world = makeWorld()
    const tcbInfo = ` ${(world.source.tcbInfo as string).replace('","signature"', '"  ,\n "signature"').replace(',"signature"', ' , "signature"')}\n`
    await expect(facts(world, { tcbInfo })).resolves.toBeDefined()
    const printed = JSON.parse(world.source.tcbInfo as string) as { tcbInfo: unknown; signature: string }
    const again = `{"tcbInfo":${JSON.stringify(printed.tcbInfo, null, 1)},"signature":"${printed.signature}"}`
    await expect(facts(world, { tcbInfo: again })).rejects.toMatchObject({ code: 'attestation.tcb-info-signature' })
  })

  test('bytes behind the quote, which are counted', async () => {
    const world = makeWorld()
    const padded = { ...world, quote: concatBytes(world.quote, Uint8Array.of(0, 1, 2)) }
    expect((await facts(padded)).trailingBytes).toBe(3)
  })

  test('signatures with a low and with a high s', async () => {
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
    const world = makeWorld()
    const flipped = Uint8Array.from(world.quote)
    const at = 632 + 4 + 32
    const s = BigInt(`0x${toHex(world.quote.subarray(at, at + 32))}`)
    const other = (order - s).toString(16).padStart(64, '0')
    flipped.set(
      Uint8Array.from(other.match(/../g) as string[], (byte) => Number.parseInt(byte, 16)),
      at,
    )
    expect(flipped).not.toEqual(world.quote)
    await expect(facts({ ...world, quote: flipped })).resolves.toBeDefined()
    await expect(facts(world)).resolves.toBeDefined()
  })

  test('a root certificate of another edition with the same key', async () => {
    const world = makeWorld()
    const edition = makeCertificate({
      ...{ subject: 'Intel SGX Root CA', issuer: 'Intel SGX Root CA', serial: 9, isCa: true, more: [] },
      ...{ key: world.keys.root, signedBy: world.keys.root, notBeforeMs: NOW_MS - DAY_MS, notAfterMs: NOW_MS + DAY_MS },
    })
    const chain = pem(world.certificates.signer, edition)
    await expect(facts(world, { tcbInfoIssuerChain: chain })).resolves.toBeDefined()
  })
})
