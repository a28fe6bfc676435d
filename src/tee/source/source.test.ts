/** Where evidence comes from: the kernel's interface with its conflicts and failures, programs, GPUs. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { vectorText } from '../../../test/support/attestation-vectors.ts'
import { vector } from '../../../test/support/dcap-vectors.ts'
import { certificateTable, type FakeTsm, fakeTsm, type FakeTsmOptions } from '../../../test/support/fake-tsm.ts'
import { manualClock, systemClock, systemRandom, toHex, utf8 } from '../../util/index.ts'
import { detectEvidence } from '../assess/index.ts'
import { type GpuEvidence, parseDcapQuote, parseGpuEvidence } from '../quote/index.ts'
import { gpuNonceFor } from '../verify/nvidia/nonce.ts'
import { nodeVerifyCrypto } from '../x509/crypto-node.ts'
import { createCommandSource } from './command-source.ts'
import { openTsmSource } from './configfs-tsm.ts'
import { collectGpusFor, createGpuCommandSource } from './gpu-command.ts'
import { chipCertificateIn } from './snp-certificates.ts'
import { nodeTsmFiles } from './tsm-files.ts'

const QUOTE = unpadded(vector('tdx/v4-cocoon-reference.bin'))
const PADDED = vector('tdx/v4-00806f-cos113-with-eventlog.bin')
const REPORT_DATA = new Uint8Array(64).fill(7)
const VCEK = '8d75da6364e66445adc5f4b93be8accd'
const VLEK = 'c24b07a85aa23e48aae639c045a0b8a1'
const ROOT = '/fake/report'
const never = new AbortController().signal

function unpadded(quote: Uint8Array): Uint8Array {
  return quote.slice(0, parseDcapQuote(quote).quoteBytes)
}

function tdx(more: Partial<FakeTsmOptions> = {}): FakeTsm {
  return fakeTsm({ root: ROOT, provider: 'tdx_guest', answer: () => QUOTE, ...more })
}
function snp(more: Partial<FakeTsmOptions> = {}): FakeTsm {
  const answer = (reportData: Uint8Array): Uint8Array => {
    const report = new Uint8Array(1184)
    report.set(reportData, 80)
    return report
  }
  return fakeTsm({ root: ROOT, provider: 'sev_guest', answer, ...more })
}
const open = (files: FakeTsm, clock = manualClock(), more: { privilegeLevel?: number } = {}) =>
  openTsmSource({ files, clock, random: systemRandom, root: ROOT, ...more })

/** Lets work run that needs no time, then moves the clock, until `done`. */
async function settleWith<T>(work: Promise<T>, clock: ReturnType<typeof manualClock>): Promise<T> {
  let isDone = false
  const watched = work.finally(() => {
    isDone = true
  })
  watched.catch(() => undefined)
  while (!isDone) {
    for (let i = 0; i < 50; i++) await Promise.resolve()
    clock.advance(100)
  }
  return watched
}

describe('the kernel’s report interface', () => {
  test('gives a TDX quote over the report data, and leaves no entry behind', async () => {
    const given: string[] = []
    const files = tdx({
      answer(reportData) {
        given.push(toHex(reportData))
        return QUOTE
      },
    })
    const source = await open(files)
    expect(source).toMatchObject({ kind: 'tdx', description: 'configfs-tsm (tdx_guest)' })
    expect(await source.quote(REPORT_DATA, never)).toEqual({ kind: 'tdx', quote: QUOTE })
    expect(given).toEqual([toHex(REPORT_DATA)])
    expect(files.entries.size).toBe(0)
  })

  test('cuts the padding that kernels add to a quote', async () => {
    const source = await open(tdx({ answer: () => PADDED }))
    const evidence = await source.quote(REPORT_DATA, never)
    if (evidence.kind !== 'tdx') throw new Error('not a quote')
    expect(PADDED).toHaveLength(8000)
    expect(evidence.quote.length).toBeLessThan(8000)
    expect(toHex(PADDED)).toMatch(new RegExp(`^${toHex(evidence.quote)}(00)+$`))
  })

  test('gives an SEV-SNP report with the chip’s certificate out of the host’s table', async () => {
    const der = utf8('certificate')
    const source = await open(snp({ aux: certificateTable([[VCEK, der]]) }))
    const evidence = await source.quote(REPORT_DATA, never)
    if (evidence.kind !== 'sev-snp') throw new Error('not a report')
    expect(toHex(evidence.report.subarray(80, 144))).toBe(toHex(REPORT_DATA))
    expect(evidence.chipCertificate).toEqual(der)
  })

  test('gives a report without a certificate where the host has no table', async () => {
    const source = await open(snp())
    expect(await source.quote(REPORT_DATA, never)).toMatchObject({ kind: 'sev-snp', chipCertificate: null })
  })

  test('asks as the privilege level that it was told, and counts that write', async () => {
    const levels: (number | null)[] = []
    const files = snp({
      answer(_, level) {
        levels.push(level)
        return new Uint8Array(1184)
      },
    })
    await (await open(files, manualClock(), { privilegeLevel: 2 })).quote(REPORT_DATA, never)
    expect(levels).toEqual([2])
    expect(files.calls.slice(-6)).toEqual([
      'read generation',
      'write privlevel',
      'write inblob',
      'read outblob',
      'read auxblob',
      'read generation',
    ])
  })

  test.each([
    ['the hardware is busy', { failures: ['EBUSY', 'EAGAIN'] }],
    ['a signal comes', { failures: ['EINTR'] }],
    ['another program writes to the entry', { meddling: 2 }],
  ])('is asked again when %s', async (_, more) => {
    const clock = manualClock()
    const files = tdx(more)
    const source = await open(files, clock)
    expect(await settleWith(source.quote(REPORT_DATA, never), clock)).toEqual({ kind: 'tdx', quote: QUOTE })
    expect(files.entries.size).toBe(0)
  })

  test('an answer that another program’s data could be in is never used', async () => {
    const clock = manualClock()
    const files = tdx({ meddling: 100 })
    const asked = settleWith((await open(files, clock)).quote(REPORT_DATA, never), clock)
    await expect(asked).rejects.toMatchObject({ code: 'attestation.evidence-source' })
    await expect(asked).rejects.toThrow(/another program wrote to our entry, 6 times/)
    expect(files.calls.filter((call) => call === 'read outblob')).toHaveLength(6)
    expect(files.entries.size).toBe(0)
  })

  test.each([
    ['ENOENT', /mount -t configfs/],
    ['ENXIO', /load tdx_guest or sev-guest/],
    ['EACCES', /run as root/],
  ])('an entry that fails with %s says what to do', async (refusesEntries, words) => {
    await expect(open(tdx({ refusesEntries }))).rejects.toMatchObject({ code: 'attestation.evidence-source' })
    await expect(open(tdx({ refusesEntries }))).rejects.toThrow(words)
  })

  test('a host without a quote generation service is named', async () => {
    const source = await open(tdx({ failures: ['EIO'] }))
    await expect(source.quote(REPORT_DATA, never)).rejects.toThrow(/quote-generation-socket/)
  })

  test('hardware that is not known here is refused by name', async () => {
    await expect(open(tdx({ provider: 'arm_cca_guest' }))).rejects.toThrow(/arm_cca_guest/)
  })

  test('who gives up is told at once, and the next one still gets an answer', async () => {
    const clock = manualClock()
    const files = tdx({ failures: ['EBUSY'] })
    const source = await open(files, clock)
    const stop = new AbortController()
    const [first, second] = [source.quote(REPORT_DATA, stop.signal), source.quote(REPORT_DATA, never)]
    stop.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    expect(await settleWith(second, clock)).toEqual({ kind: 'tdx', quote: QUOTE })
  })

  test('requests are answered one after the other, in order', async () => {
    const order: number[] = []
    const files = tdx({
      answer(reportData) {
        order.push(reportData[0] as number)
        return QUOTE
      },
    })
    const source = await open(files)
    await Promise.all([1, 2, 3].map((i) => source.quote(new Uint8Array(64).fill(i), never)))
    expect(order).toEqual([1, 2, 3])
    expect(files.calls.filter((c) => /generation|outblob/.test(c))).toEqual(
      Array.from({ length: 3 }, () => ['read generation', 'read outblob', 'read generation']).flat(),
    )
  })

  // Pipes in the place of attributes, and a process in that of the kernel: the real file operations.
  test('works on files that another process serves', async () => {
    const root = mkdtempSync(join(tmpdir(), 'cocoon-tsm-'))
    const received = join(root, 'received')
    const answer = join(root, 'answer')
    writeFileSync(answer, PADDED)
    const source = await openTsmSource({
      clock: systemClock,
      random: systemRandom,
      root,
      files: {
        ...nodeTsmFiles,
        // The kernel makes the attributes; here a shell does, and serves them.
        async create(path) {
          mkdirSync(path)
          execFileSync('mkfifo', [join(path, 'inblob'), join(path, 'outblob')])
          writeFileSync(join(path, 'provider'), 'tdx_guest\n')
          writeFileSync(join(path, 'generation'), '0\n')
          const serve = 'cat "$1/inblob" > "$2"; echo 1 > "$1/generation"; cat "$3" > "$1/outblob"'
          servers.push(spawn('sh', ['-c', serve, 'sh', path, received, answer], { stdio: 'ignore' }))
        },
        async remove(path) {
          rmSync(path, { recursive: true })
        },
      },
    })
    const evidence = await source.quote(REPORT_DATA, never)
    for (const server of servers) server.kill('SIGKILL')
    expect(toHex(new Uint8Array(readFileSync(received)))).toBe(toHex(REPORT_DATA))
    expect(evidence).toMatchObject({ kind: 'tdx' })
    rmSync(root, { recursive: true })
  })
  const servers: ReturnType<typeof spawn>[] = []
})

describe('a host’s table of certificates', () => {
  const [vcek, vlek] = [utf8('vcek'), utf8('vlek')]
  test.each<[string, Uint8Array, Uint8Array | null]>([
    [
      'a VCEK before a VLEK',
      certificateTable([
        [VLEK, vlek],
        [VCEK, vcek],
      ]),
      vcek,
    ],
    [
      'a VLEK alone',
      certificateTable([
        ['00112233445566778899aabbccddeeff', utf8('ask')],
        [VLEK, vlek],
      ]),
      vlek,
    ],
    ['neither', certificateTable([['00112233445566778899aabbccddeeff', utf8('ask')]]), null],
    ['nothing', new Uint8Array(), null],
    ['a place behind its end', certificateTable([[VCEK, vcek]]).subarray(0, 50), null],
    ['noise', new Uint8Array(4096).fill(0xff), null],
  ])('with %s', (_, table, expected) => {
    expect(chipCertificateIn(table)).toEqual(expected)
  })
})

describe('a program of the operator’s', () => {
  const script = (text: string, kind: 'tdx' | 'sev-snp' = 'tdx') =>
    createCommandSource({ kind, command: ['sh', '-c', text] })
  const answering = (answer: object): string => `cat > /dev/null; echo '${JSON.stringify(answer)}'`
  const QUOTE_TEXT = Buffer.from(PADDED).toString('base64')

  test('is given the report data in hex, and its quote is taken without padding', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cocoon-command-'))
    const answer = join(folder, 'answer.json')
    writeFileSync(answer, JSON.stringify({ kind: 'tdx', quote: QUOTE_TEXT }))
    const source = script(`read line; test "$line" = ${toHex(REPORT_DATA)} && cat ${answer}`)
    expect(source.description).toBe('command (sh)')
    const evidence = await source.quote(REPORT_DATA, never)
    expect(evidence.kind === 'tdx' && evidence.quote.length).toBeLessThan(8000)
    rmSync(folder, { recursive: true })
  })

  test.each([
    ['fails, with its last words', 'echo no device >&2; exit 3', /status 3: no device/],
    ['prints no JSON', 'cat > /dev/null; echo hello', /no JSON/],
    ['prints another form', answering({ kind: 'tdx', quote: 5 }), /wrong in quote/],
    ['has other hardware', answering({ kind: 'sev-snp', report: '', chipCertificate: null }), /configured is tdx/],
    ['prints without end', 'yes', /more than 131072 bytes/],
  ])('that %s is refused', async (_, text, words) => {
    const asked = script(text).quote(REPORT_DATA, never)
    await expect(asked).rejects.toMatchObject({ code: 'attestation.evidence-source' })
    await expect(asked).rejects.toThrow(words)
  })

  test('that is not there is named', async () => {
    const source = createCommandSource({ kind: 'tdx', command: ['cocoon-no-such-program'] })
    await expect(source.quote(REPORT_DATA, never)).rejects.toThrow(/cocoon-no-such-program.*cannot be started/)
  })

  test('is killed when the caller gives up', async () => {
    const stop = new AbortController()
    const asked = script('sleep 600').quote(REPORT_DATA, stop.signal)
    stop.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
  })

  test('sees nothing of our environment but a path', async () => {
    const source = script('cat > /dev/null; env | cut -d= -f1 | tr "\\n" " " >&2; exit 1')
    const message = await source.quote(REPORT_DATA, never).then(
      () => '',
      (error: Error) => error.message,
    )
    expect(message).toContain('PATH')
    expect(process.env['HOME']).toBeDefined()
    expect(message).not.toMatch(/HOME|VITEST|NODE/)
  })
})

describe('GPU evidence', () => {
  const recorded = vectorText('gpu/hopper-590-evidence.json')
  const [one] = parseGpuEvidence(recorded) as [GpuEvidence]

  test('is taken from the vendor’s tool, over the nonce that was asked', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cocoon-gpu-'))
    const path = join(folder, 'evidence.json')
    writeFileSync(path, JSON.stringify({ evidences: JSON.parse(recorded), result_code: 0, result_message: 'Ok' }))
    const source = createGpuCommandSource([
      'sh',
      '-c',
      `test "$1" = ${toHex(one.nonce)} && cat ${path}`,
      'sh',
      '{nonce}',
    ])
    expect(await source.collect(one.nonce, never)).toHaveLength(parseGpuEvidence(recorded).length)
    const blind = createGpuCommandSource(['cat', path])
    await expect(blind.collect(new Uint8Array(32), never)).rejects.toThrow(/another nonce/)
    rmSync(folder, { recursive: true })
  })

  test('is recognised as the tool prints it', () => {
    const printed = utf8(JSON.stringify({ evidences: JSON.parse(recorded), result_code: 0 }))
    expect(detectEvidence(printed)).toMatchObject({ form: 'gpu-evidence', encoding: 'json' })
    expect(parseGpuEvidence(new TextDecoder().decode(printed))).toEqual(parseGpuEvidence(recorded))
    expect(detectEvidence(utf8('{"other": []}'))).toBeNull()
  })

  test('of every GPU is asked over a nonce of its own, made from the TLS key', async () => {
    const key = new Uint8Array(32).fill(9)
    const asked: string[] = []
    const source = {
      description: 'three GPUs',
      collect: async (nonce: Uint8Array) => {
        asked.push(toHex(nonce))
        return Array.from({ length: 3 }, () => ({ ...one, nonce }))
      },
    }
    const found = await collectGpusFor(source, key, never)
    const expected = await Promise.all([0, 1, 2].map(async (i) => toHex(await gpuNonceFor(nodeVerifyCrypto, key, i))))
    expect(asked).toEqual(expected)
    expect(found.map(({ nonce }) => toHex(nonce))).toEqual(expected)
  })

  test('is refused when the number of GPUs changes while they are asked', async () => {
    let left = 3
    const source = { description: 'x', collect: async () => Array.from({ length: left-- }, () => one) }
    await expect(collectGpusFor(source, new Uint8Array(32), never)).rejects.toThrow(/number of GPUs changed/)
  })
})
