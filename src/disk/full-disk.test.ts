import { expect, test } from 'vitest'
import { CocoonError, type ErrorCode, manualClock } from '../util/index.ts'
import { createRecordingLog } from '../../test/support/recording-log.ts'
import { createFullDisk } from './full-disk.ts'

const settle = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}

function disk() {
  const clock = manualClock()
  const log = createRecordingLog()
  let code: ErrorCode | null = null
  let tries = 0
  const full = createFullDisk({ clock, log }, { full: 'capacity.batch-full', says: 'it cannot be written' })
  return {
    clock,
    full,
    log,
    fail: (now: ErrorCode | null) => void (code = now),
    tries: () => tries,
    write: () =>
      full.waitOut(async () => {
        tries++
        if (code !== null) throw new CocoonError(code)
        return tries
      }),
  }
}

test('a full disk is tried again every two seconds until it has room, and told once', async () => {
  const d = disk()
  d.fail('capacity.batch-full')
  const written = d.write()
  for (let i = 0; i < 3; i++) {
    await settle()
    expect(d.full.trouble()?.code).toBe('capacity.batch-full')
    d.clock.advance(1_999)
    await settle()
    expect(d.tries()).toBe(i + 1)
    d.clock.advance(1)
  }
  d.fail(null)
  expect(await written).toBe(4)
  expect(d.full.trouble()).toBeNull()
  expect(d.log.lines.filter((line) => line.includes('it cannot be written'))).toHaveLength(1)
})

test('what is not for want of room is not tried again', async () => {
  const d = disk()
  d.fail('capacity.batch-failed')
  await expect(d.write()).rejects.toMatchObject({ code: 'capacity.batch-failed' })
  expect(d.tries()).toBe(1)
  expect(d.full.trouble()?.code).toBe('capacity.batch-failed')
})
