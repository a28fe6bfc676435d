/** `cocoon model measure|check`: what a model is called on the network, and whether an archive is what its name says. */
import type { Command } from 'commander'
import {
  drawProgress,
  formatModelIdentity,
  type MeasuredArchive,
  measureArchive,
  modelRegistryHash,
  parseModelIdentity,
} from '../models/index.ts'
import { CocoonError, systemClock } from '../util/index.ts'
import type { Terminal } from './terminal.ts'

interface ArchiveFlags {
  readonly unpadded?: boolean
  readonly json?: boolean
}

interface MeasureFlags extends ArchiveFlags {
  readonly name?: string
  readonly archive?: string
  readonly tree?: string
}

export function addModelIdentityCommands(model: Command, run: (status: Promise<number>) => void, t: Terminal): void {
  model
    .command('measure')
    .description('the hash of a model’s archive, and with it the name that workers advertise')
    .argument('<file>', 'the archive (a tar with its padding), or the folder that becomes one')
    .option('--name <model@commit>', 'repository and revision, to print the whole name and what registries list')
    .option('--unpadded', 'the tar has no padding yet: count it in')
    .option('--archive <file>', 'write the archive that a folder becomes')
    .option('--tree <file>', 'write the dm-verity tree for the archive')
    .option('--json', 'print JSON')
    .action((file: string, flags: MeasureFlags) => run(measure(file, flags, t)))
  model
    .command('check')
    .description('whether an archive is the one that a name stands for')
    .argument('<file>', 'the archive (a tar with its padding), or the folder that becomes one')
    .argument('<name>', 'model@commit:hash, or the hash alone')
    .option('--unpadded', 'the tar has no padding yet: count it in')
    .option('--json', 'print JSON')
    .action((file: string, name: string, flags: ArchiveFlags) => run(check(file, name, flags, t)))
}

async function measure(file: string, flags: MeasureFlags, t: Terminal): Promise<number> {
  const [model = '', commit = '', ...more] = flags.name?.split('@') ?? []
  if (flags.name !== undefined && (model === '' || commit === '' || more.length > 0))
    throw new CocoonError('config.value', { message: `--name must be model@commit, not "${flags.name}"` })
  const { rootHash, dataBlocks, archiveBytes } = await withProgress(file, flags)
  const identity = flags.name === undefined ? null : { model, commit, hash: rootHash }
  const found = {
    hash: rootHash,
    dataBlocks,
    archiveBytes,
    ...(identity === null ? {} : { name: formatModelIdentity(identity), registryHash: modelRegistryHash(identity) }),
  }
  if (flags.json === true) t.line(JSON.stringify(found, null, 2))
  else for (const [name, value] of Object.entries(found)) t.line(`${name.padEnd(13)} ${value}`)
  return 0
}

/** Exit status 1 when it is another. */
async function check(file: string, name: string, flags: ArchiveFlags, t: Terminal): Promise<number> {
  const expected = /^[0-9a-fA-F]{64}$/.test(name) ? name.toLowerCase() : parseModelIdentity(name).hash
  const { rootHash } = await withProgress(file, flags)
  const isSame = rootHash === expected
  if (flags.json === true) t.line(JSON.stringify({ isSame, expected, found: rootHash }, null, 2))
  else if (isSame) t.line(`${t.style('green', 'the same')}  ${rootHash}`)
  else t.line(`${t.style('red', 'ANOTHER ARCHIVE')}\nexpected  ${expected}\nfound     ${rootHash}`)
  return isSame ? 0 : 1
}

async function withProgress(file: string, { unpadded, archive, tree }: MeasureFlags): Promise<MeasuredArchive> {
  const bar = drawProgress(process.stderr, file, () => systemClock.now())
  const stop = new AbortController()
  const onInterrupt = (): void => stop.abort()
  process.once('SIGINT', onInterrupt)
  try {
    return await measureArchive(file, {
      padding: unpadded === true ? 'lacks' : 'has',
      ...(tree === undefined ? {} : { treePath: tree }),
      ...(archive === undefined ? {} : { archivePath: archive }),
      signal: stop.signal,
      // A pipe gets results only.
      ...(process.stderr.isTTY
        ? {
            onProgress: (receivedBytes, totalBytes) => bar.update({ phase: 'verifying', receivedBytes, totalBytes }),
          }
        : {}),
    })
  } finally {
    process.off('SIGINT', onInterrupt)
    bar.done()
  }
}
