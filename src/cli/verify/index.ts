/** The commands `verify` and `policy`. */
import type { Command } from 'commander'
import type { Loaded } from '../config.ts'
import type { Terminal } from '../terminal.ts'
import { explain, hash, listPolicies } from './policies.ts'
import { runVerify, type VerifyFlags } from './verify.ts'

export interface CommandDeps {
  /** Adds the general settings to a command. */
  withSettings(command: Command): Command
  load(command: Command): Loaded
  run(status: Promise<number>): void
  readonly terminal: Terminal
}

export function addVerifyCommands(cocoon: Command, { withSettings, load, run, terminal }: CommandDeps): void {
  const verify = withSettings(
    cocoon
      .command('verify')
      .description('verify evidence: a quote, a report, a certificate, a recorded session, or what a node shows')
      .argument('<target>', 'a file (detected), or host:port of a node')
      .option(
        '--bundle <file>',
        'collateral: what Intel, AMD and NVIDIA publish about their hardware (default: what nodes of this folder hold)',
      )
      .option('--policy <policy>', 'a name of `cocoon policy list`, or a file', 'strict')
      .option('--at <time>', 'judge as of this time, in ISO 8601 (default: now)')
      .option('--image <hash>', 'an image hash to allow besides those of the network (repeatable)', append, [])
      .option('--event-log <file>', 'the TCG event log beside a TDX quote')
      .option('--save <file>', 'record what a node shows, to verify it again elsewhere or later')
      .option('--json', 'print one JSON object instead of text'),
  )
  verify.action((target: string, flags: VerifyFlags) => run(runVerify(load(verify), target, flags, terminal)))

  const policy = cocoon.command('policy').description('what evidence must be: policies')
  const done = (work: Promise<void>): void => run(work.then(() => 0))
  policy
    .command('list')
    .description('the built-in policies')
    .action(() => done(listPolicies(terminal)))
  policy
    .command('explain')
    .description('what a policy accepts, in sentences')
    .argument('<policy>', 'a name or a file')
    .action((name: string) => done(explain(terminal, name)))
  policy
    .command('hash')
    .description('the SHA-256 that identifies a policy')
    .argument('<policy>', 'a name or a file')
    .action((name: string) => done(hash(terminal, name)))
}

const append = (value: string, list: readonly string[]): readonly string[] => [...list, value]
