import { appendFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openFileJournal } from './file-journal.ts'
import type { SendRecord } from './journal.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})
function journalPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'journal-'))
  folders.push(folder)
  return join(folder, 'wallet', 'sent.jsonl')
}

const record = (id: string, change: Partial<SendRecord> = {}): SendRecord => ({
  id,
  transfers: [{ mode: 1, boc: 'AAAA' }],
  afterLt: 12_345_678_901_234_567n,
  attempts: [{ seqno: 3, validUntilS: 1_777_000_000, bodyHash: 'ab'.repeat(32), boc: 'AAAA' }],
  outcome: null,
  ...change,
})

test('what was put is there again, newest form and order of beginning', async () => {
  const path = journalPath()
  const first = await openFileJournal(path)
  await first.put(record('a'))
  await first.put(record('b'))
  const ended = record('a', { outcome: { result: 'confirmed', lt: 5n, hash: 'cd', atS: 7, feeNano: 9n } })
  await first.put(ended)
  await first.put(record('c', { attempts: [] }))
  await first.drop('c')
  await first.close()
  const second = await openFileJournal(path)
  expect(await second.load()).toEqual([ended, record('b')])
  await second.close()
})

test('puts at the same time keep their order', async () => {
  const path = journalPath()
  const journal = await openFileJournal(path)
  await Promise.all(Array.from({ length: 50 }, (_, i) => journal.put(record(`r${i % 5}`, { afterLt: BigInt(i) }))))
  await journal.close()
  const again = await openFileJournal(path)
  expect((await again.load()).map((r) => r.afterLt)).toEqual([45n, 46n, 47n, 48n, 49n])
  await again.close()
})

test('at every length of a torn last line, what was complete is there', async () => {
  const path = journalPath()
  const journal = await openFileJournal(path)
  await journal.put(record('a'))
  await journal.close()
  const whole = readFileSync(path, 'utf8')
  const next = `${JSON.stringify({ ...record('b'), afterLt: '1' })}\n`
  for (let cut = 0; cut < next.length; cut += 17) {
    writeFileSync(path, whole + next.slice(0, cut))
    const opened = await openFileJournal(path)
    expect((await opened.load()).map((r) => r.id)).toEqual(['a'])
    // What follows is not glued to the torn line.
    await opened.put(record('c'))
    await opened.close()
    const again = await openFileJournal(path)
    expect((await again.load()).map((r) => r.id)).toEqual(['a', 'c'])
    await again.close()
  }
})

test('damage anywhere else is refused, naming the line: a forgotten payment could be paid again', async () => {
  const path = journalPath()
  const journal = await openFileJournal(path)
  await journal.put(record('a'))
  await journal.close()
  appendFileSync(path, '{"id":7}\n')
  await expect(openFileJournal(path)).rejects.toMatchObject({
    code: 'chain.journal',
    message: expect.stringContaining('line 2'),
  })
})

test('a path that cannot be written is refused', async () => {
  const path = journalPath()
  await (await openFileJournal(path)).close()
  await expect(openFileJournal(join(path, 'below'))).rejects.toMatchObject({ code: 'chain.journal' })
})

test.skipIf(process.platform !== 'linux')(
  'a full disk is told as one, and what the journal holds stays as it is',
  async () => {
    const path = journalPath()
    const journal = await openFileJournal(path)
    await journal.put(record('a'))
    await journal.close()
    symlinkSync('/dev/full', `${path}.new`)
    await expect(openFileJournal(path)).rejects.toMatchObject({
      code: 'chain.journal-full',
      message: expect.stringMatching(/is full: nothing is paid until there is room/),
    })
    rmSync(`${path}.new`)
    const again = await openFileJournal(path)
    expect((await again.load()).map((r) => r.id)).toEqual(['a'])
    await again.close()
  },
)
