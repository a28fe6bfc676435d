/** The command `collateral`: what hardware makers publish, held by the nodes of this folder. */
import type { Command } from 'commander'
import type { CommandDeps } from '../verify/index.ts'
import { exportBundle, fetchCollateral, type FetchFlags, importBundle, showCollateral } from './commands.ts'
import { serve, type ServeFlags } from './serve.ts'

export function addCollateralCommands(cocoon: Command, { withSettings, load, run, terminal }: CommandDeps): void {
  const collateral = cocoon
    .command('collateral')
    .description('what Intel, AMD and NVIDIA publish about their hardware, held by the nodes of this folder')
  const show = withSettings(
    collateral
      .command('show')
      .description('what is held, and until when')
      .argument('[file]', 'a bundle (default: what nodes of this folder hold)')
      .option('--json', 'print one JSON object instead of text'),
  )
  show.action((file: string | undefined, flags: { readonly json?: boolean }) =>
    run(showCollateral(load(show), file, flags.json === true, terminal)),
  )
  const fetching = withSettings(
    collateral
      .command('fetch')
      .description('fetch from the configured servers; without options, what is held anew')
      .option('--fmspc <hex>', 'a TDX platform, by the 12 hex digits of its FMSPC (repeatable)', append, [])
      .option('--amd <product>', 'a product line: Milan, Genoa or Turin (repeatable)', append, [])
      .option('--manifest <id>', 'an NVIDIA manifest, by its name at the service (repeatable)', append, [])
      .option('--for <file>', 'what a quote, report, certificate or evidence of GPUs needs (repeatable)', append, []),
  )
  fetching.action((flags: FetchFlags) => run(fetchCollateral(load(fetching), flags, terminal)))
  const exporting = withSettings(
    collateral
      .command('export')
      .description('write what is held into a bundle, for another machine')
      .argument('<file>', 'where to'),
  )
  exporting.action((file: string) => run(exportBundle(load(exporting), file, terminal)))
  const importing = withSettings(
    collateral
      .command('import')
      .description(
        'take from a bundle what is genuine, valid and newer than what is held; nodes read it when they start',
      )
      .argument('<file>', 'a bundle'),
  )
  importing.action((file: string) => run(importBundle(load(importing), file, terminal)))
  const serving = withSettings(
    collateral
      .command('serve')
      .description('serve a bundle over HTTP under the paths of the vendors’ services')
      .argument('<file>', 'a bundle')
      .option('--host <address>', 'address to listen on', '127.0.0.1')
      .option('--port <number>', 'port to listen on; 0 takes a free one', '8081'),
  )
  serving.action((file: string, flags: ServeFlags) => run(serve(load(serving), file, flags)))
}

const append = (value: string, list: readonly string[]): readonly string[] => [...list, value]
