/** What main gives to the commands about money. */
import type { Command } from 'commander'
import type { Loaded } from './config.ts'
import type { Terminal } from './terminal.ts'

export interface MoneyCommands {
  /** Adds the general settings, and which wallet pays. */
  withSettings(command: Command): Command
  load(command: Command): Loaded
  run(status: Promise<number>): void
  readonly out: Terminal
  readonly err: Terminal
}
