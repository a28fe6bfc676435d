/** `cocoon evidence` as a GPU owner uses it, with programs in the place of hardware. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseDcapQuote, parseGpuEvidence } from '../../src/tee/quote/index.ts'
import { toHex } from '../../src/util/index.ts'
import { vectorText } from '../support/attestation-vectors.ts'
import { vector } from '../support/dcap-vectors.ts'
import { type Cocoon, cocoonHome } from '../support/processes.ts'

let cocoon: Cocoon
beforeAll(async () => {
  cocoon = await cocoonHome()
})
afterAll(() => cocoon.close())

function program(name: string, text: string): string {
  const path = join(cocoon.home, name)
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o700)
  return path
}

test('a quote is taken through the configured program, and `cocoon verify` reads the file', async () => {
  const answer = join(cocoon.home, 'answer.json')
  const recorded = vector('tdx/v4-cocoon-reference.bin')
  writeFileSync(answer, JSON.stringify({ kind: 'tdx', quote: Buffer.from(recorded).toString('base64') }))
  const { body } = parseDcapQuote(recorded)
  const reportData = body.tee === 'tdx' ? toHex(body.report.reportData) : ''
  const path = program('quote', `read line; test "$line" = ${reportData} && cat ${answer}`)
  const file = join(cocoon.home, 'quote.bin')
  const taken = await cocoon.run(['evidence', file, '--report-data', reportData], {
    COCOON_ATTESTATION_SOURCE: 'command',
    COCOON_ATTESTATION_SOURCE_COMMAND: path,
  })
  expect(taken).toMatchObject({ status: 0, stderr: '' })
  expect(taken.stdout).toMatch(/evidence +Intel TDX quote, 4940 bytes/)
  const other = await cocoon.run(['evidence', file], {
    COCOON_ATTESTATION_SOURCE: 'command',
    COCOON_ATTESTATION_SOURCE_COMMAND: program('stale', `cat > /dev/null; cat ${answer}`),
  })
  expect(other.status).toBe(1)
  expect(other.stderr).toContain('over other report data')
  const verified = await cocoon.run(['verify', file])
  expect(verified.stdout).toContain('Intel TDX quote, version 4')
})

test('evidence of GPUs is taken by a tool over the nonce, and written in the form of NVIDIA’s tools', async () => {
  const recorded = vectorText('gpu/hopper-590-evidence.json')
  const nonce = toHex(parseGpuEvidence(recorded)[0]?.nonce ?? new Uint8Array())
  writeFileSync(join(cocoon.home, 'gpu.json'), recorded)
  const path = program('gpu', `test "$1" = --nonce=${nonce} && cat ${join(cocoon.home, 'gpu.json')}`)
  const file = join(cocoon.home, 'gpu-evidence.json')
  const taken = await cocoon.run([
    'evidence',
    file,
    '--report-data',
    nonce,
    '--gpu',
    '--gpu-command',
    `${path} --nonce={nonce}`,
  ])
  expect(taken).toMatchObject({ status: 0, stderr: '' })
  expect(taken.stdout).toMatch(/evidence +\d+ GPU\(s\), HOPPER/)
  expect(parseGpuEvidence(readFileSync(file, 'utf8'))).toEqual(parseGpuEvidence(recorded))
  const other = await cocoon.run(['evidence', file, '--gpu', '--gpu-command', `cat ${join(cocoon.home, 'gpu.json')}`])
  expect(other.status).toBe(1)
  expect(other.stderr).toContain('another nonce')
})

test.each([
  ['a machine without a source', ['evidence', 'x.bin'], 1, 'cocoon doctor'],
  [
    'report data that are no hex',
    ['evidence', 'x.bin', '--report-data', 'zz'],
    2,
    '--report-data must be 128 hex digits',
  ],
  ['a GPU tool that is missing', ['evidence', 'x.json', '--gpu', '--gpu-command', 'no-such-tool'], 1, 'no-such-tool'],
])('%s: says what to do', async (_, args, status, words) => {
  const ended = await cocoon.run(args, { COCOON_ATTESTATION_SOURCE: 'none' })
  expect(ended.status).toBe(status)
  expect(ended.stderr).toContain(words)
})
