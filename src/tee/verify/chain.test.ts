import { expect, test } from 'vitest'
import {
  authority,
  createTestCertificate,
  createTestKey,
  integer,
  TEST_FROM_MS,
  TEST_NOW_MS,
  TEST_UNTIL_MS,
  type TestCertificate,
} from '../../../test/support/test-pki.ts'
import { fromHex } from '../../util/index.ts'
import { nodeVerifyCrypto } from '../x509/crypto-node.ts'
import { type Certificate, parseCertificate } from '../x509/index.ts'
import { dateFaultOf, faultOfChain, keyPinOf } from './chain.ts'

const [rootKey, middleKey, leafKey, other] = [
  createTestKey('p384'),
  createTestKey('p384'),
  createTestKey('p384'),
  createTestKey('p384'),
] as const

type Changes = Partial<Record<'leaf' | 'middle' | 'root', Partial<TestCertificate>>>

const chainWith = ({ leaf, middle, root }: Changes = {}) =>
  [
    { subject: 'leaf', issuer: 'middle', key: leafKey, signer: middleKey, ...leaf },
    { subject: 'middle', issuer: 'root', key: middleKey, signer: rootKey, extensions: authority(0), ...middle },
    { subject: 'root', issuer: 'root', key: rootKey, signer: rootKey, extensions: authority(), ...root },
  ].map((one) => parseCertificate(createTestCertificate(one)))

async function problemOf(changes: Changes): Promise<string> {
  const pin = await keyPinOf(nodeVerifyCrypto, chainWith()[2] as Certificate)
  const fault = await faultOfChain(nodeVerifyCrypto, chainWith(changes), [pin])
  return fault === null ? 'none' : `${fault.problem} ${fault.subject}`
}

const digitalSignature = { oid: '2.5.29.15', critical: true, value: fromHex('03020780') }
const certSign = { oid: '2.5.29.15', critical: true, value: fromHex('03020204') }
const notAuthority = { oid: '2.5.29.19', value: fromHex('3000') }

test.each<[string, Changes, string]>([
  ['as it should be', {}, 'none'],
  ['a leaf that may sign data', { leaf: { extensions: [digitalSignature, notAuthority] } }, 'none'],
  ['a leaf that may sign certificates only', { leaf: { extensions: [certSign] } }, 'authority leaf'],
  ['a leaf that is an authority', { leaf: { extensions: authority() } }, 'authority leaf'],
  ['a leaf of another issuer', { leaf: { issuer: 'root' } }, 'issuer leaf'],
  ['a leaf signed by another key', { leaf: { signer: other } }, 'signature leaf'],
  ['a leaf signed by the root', { leaf: { signer: rootKey } }, 'signature leaf'],
  ['a middle that is no authority', { middle: { extensions: [certSign] } }, 'authority middle'],
  [
    'a middle whose constraints cannot be read',
    { middle: { extensions: [{ oid: '2.5.29.19', value: integer(1) }, certSign] } },
    'authority middle',
  ],
  ['a middle without uses', { middle: { extensions: authority().slice(0, 1) } }, 'authority middle'],
  ['a root with no room below', { root: { extensions: authority(0) } }, 'authority root'],
  ['a root that another key signed', { root: { signer: other } }, 'signature root'],
  [
    'another root of the same name',
    { root: { key: other, signer: other }, middle: { signer: other } },
    'untrusted-root root',
  ],
  [
    'a demand that is not understood',
    { middle: { extensions: [...authority(0), { oid: '1.2.3', critical: true, value: integer(1) }] } },
    'critical-extension middle',
  ],
])('%s', async (_, changes, problem) => {
  expect(await problemOf(changes)).toBe(problem)
})

test('a root alone is no chain, even a pinned one', async () => {
  const root = chainWith()[2] as Certificate
  const pin = await keyPinOf(nodeVerifyCrypto, root)
  expect(await faultOfChain(nodeVerifyCrypto, [root], [pin])).toMatchObject({ problem: 'issuer' })
  expect(await faultOfChain(nodeVerifyCrypto, [], [pin])).toMatchObject({ problem: 'issuer' })
})

test('dates hold from the first second, less the skew, to the end of the last', () => {
  const chain = chainWith()
  const at = (ms: number): string | undefined => dateFaultOf(chain, ms, 5000)?.problem
  expect([at(TEST_NOW_MS), at(TEST_FROM_MS - 5000), at(TEST_UNTIL_MS + 999)]).toEqual([undefined, undefined, undefined])
  expect([at(TEST_FROM_MS - 6000), at(TEST_UNTIL_MS + 1000)]).toEqual(['not-yet-valid', 'expired'])
})
