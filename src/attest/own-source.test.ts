import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { manualClock, seededRandom } from '../util/index.ts'
import { attestationOptions } from './options.ts'
import { openOwnSource } from './own-source.ts'

const deps = { clock: manualClock(), random: seededRandom(1), tsmRoot: join(tmpdir(), 'no-such-interface') }
const options = (more: object): ReturnType<typeof attestationOptions.parse> => attestationOptions.parse(more)

test('without the kernel’s interface there is no source, unless one is asked for by name', async () => {
  expect(await openOwnSource(deps, options({}))).toBeNull()
  expect(await openOwnSource(deps, options({ source: 'none' }))).toBeNull()
  await expect(openOwnSource(deps, options({ source: 'configfs-tsm' }))).rejects.toMatchObject({
    code: 'attestation.evidence-source',
  })
})

test('an interface that is there and does not work is no reason to do without', async () => {
  const tsmRoot = mkdtempSync(join(tmpdir(), 'cocoon-tsm-'))
  await expect(openOwnSource({ ...deps, tsmRoot }, options({}))).rejects.toMatchObject({
    code: 'attestation.evidence-source',
  })
  rmSync(tsmRoot, { recursive: true })
})

test('a command is one only when it is named', async () => {
  const source = await openOwnSource(
    deps,
    options({ source: 'command', sourceKind: 'sev-snp', sourceCommand: ['/bin/quote', '-v'] }),
  )
  expect(source).toMatchObject({ kind: 'sev-snp', description: expect.stringContaining('/bin/quote') })
  await expect(openOwnSource(deps, options({ source: 'command' }))).rejects.toMatchObject({
    code: 'config.evidence-source',
    message: expect.stringContaining('sourceCommand'),
  })
})
