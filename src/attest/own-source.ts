/** Which source of evidence a configuration means, on this machine. */
import { access } from 'node:fs/promises'
import {
  createCommandSource,
  createGpuCommandSource,
  type EvidenceSource,
  type GpuSource,
  nodeTsmFiles,
  openTsmSource,
  TSM_ROOT,
} from '../tee/index.ts'
import { type Clock, CocoonError, type Random } from '../util/index.ts'
import type { AttestationOptions } from './options.ts'

export interface OwnSourceDeps {
  readonly clock: Clock
  readonly random: Random
  /** Where the kernel's report interface is looked for; elsewhere only in tests. */
  readonly tsmRoot?: string
}

/**
 * Null for `none`, and for `auto` on a machine whose kernel has no report interface. Rejects with `attestation.evidence-source`
 * when there is one that does not work, and `config.evidence-source` for a command that is not given.
 */
export async function openOwnSource(
  { clock, random, tsmRoot = TSM_ROOT }: OwnSourceDeps,
  { source, sourceKind, sourceCommand }: Pick<AttestationOptions, 'source' | 'sourceKind' | 'sourceCommand'>,
): Promise<EvidenceSource | null> {
  switch (source) {
    case 'none':
      return null
    case 'auto':
      if (!(await exists(tsmRoot))) return null
      return openTsmSource({ files: nodeTsmFiles, clock, random, root: tsmRoot })
    case 'configfs-tsm':
      return openTsmSource({ files: nodeTsmFiles, clock, random, root: tsmRoot })
    case 'command': {
      const [program, ...args] = sourceCommand
      if (program === undefined)
        throw new CocoonError('config.evidence-source', {
          message: 'attestation.source is "command", and attestation.sourceCommand names no program',
        })
      return createCommandSource({ kind: sourceKind, command: [program, ...args] })
    }
  }
}

/** Null where this machine shows no GPUs. */
export function gpuSourceOf({
  gpuSource,
  gpuCommand,
}: Pick<AttestationOptions, 'gpuSource' | 'gpuCommand'>): GpuSource | null {
  const [program, ...args] = gpuCommand
  return gpuSource === 'none' || program === undefined ? null : createGpuCommandSource([program, ...args])
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
