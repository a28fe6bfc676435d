/** The command `image`: what hardware will say of an image, and why. */
import { statSync, writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import {
  compareGuests,
  compareWithEvidence,
  detectEvidence,
  MAX_EVIDENCE_BYTES,
  type MeasuredImage,
  nodeVerifyCrypto,
  parseEventLog,
  registersIn,
} from '../../tee/index.ts'
import { CocoonError } from '../../util/index.ts'
import type { Terminal } from '../terminal.ts'
import { readInput, readTextInput } from '../verify/input.ts'
import { measureFolder } from './folder.ts'
import { showComparison, showDifference, showMeasurement, showParts } from './show.ts'

export interface ImageCommandDeps {
  run(status: Promise<number>): void
  /** Results. */
  readonly terminal: Terminal
  /** Progress, which is nobody's input. */
  readonly progress: Terminal
}

const MAX_MEASUREMENT_BYTES = 16 * 1024 * 1024

export function addImageCommands(cocoon: Command, { run, terminal, progress }: ImageCommandDeps): void {
  const image = cocoon.command('image').description('measure the image of a guest from its sources')
  const onStep = (what: string): void => {
    if (progress.isTTY) progress.write(`\r\u001B[2K${what} `)
  }
  const settled = <T>(work: Promise<T>): Promise<T> =>
    work.finally(() => {
      if (progress.isTTY) progress.write('\r\u001B[2K')
    })
  image
    .command('measure')
    .description('registers and image hash that hardware will report for an image')
    .argument('<folder>', 'a folder with image.json and the files that it names (docs/images.md)')
    .option('--json', 'print the measurement as JSON, for `cocoon image explain`')
    .option('--event-log <file>', 'write the TCG event log that the TDX firmware would leave')
    .action((folder: string, flags: { json?: boolean; eventLog?: string }) =>
      run(settled(measure(folder, flags, terminal, onStep))),
    )
  image
    .command('check')
    .description('whether a quote or report is of this image, and where the two part')
    .argument('<image>', 'a folder, or a file written by `cocoon image measure --json`')
    .argument('<evidence>', 'a TDX quote or SEV-SNP report; `cocoon verify` says whether it is genuine')
    .option('--event-log <file>', 'the TCG event log of the same start, to name the first event that differs')
    .option('--json', 'print JSON')
    .action((one: string, evidence: string, flags: { json?: boolean; eventLog?: string }) =>
      run(settled(check(one, evidence, flags, terminal, onStep))),
    )
  image
    .command('explain')
    .description('what each register is made of; with two images, which input moved which register')
    .argument('<image>', 'a folder, or a file written by `cocoon image measure --json`')
    .argument('[other]', 'the same, to compare with')
    .option('--json', 'print JSON')
    .action((one: string, other: string | undefined, flags: { json?: boolean }) =>
      run(settled(explain(one, other, flags.json === true, terminal, onStep))),
    )
}

/** Exit status 1 when a register differs. */
async function check(
  folder: string,
  evidencePath: string,
  flags: { readonly json?: boolean; readonly eventLog?: string },
  t: Terminal,
  onStep: (what: string) => void,
): Promise<number> {
  const read = (path: string): Uint8Array => readInput(path, MAX_EVIDENCE_BYTES, 'config.image-input')
  const evidence = detectEvidence(read(evidencePath))
  if (evidence?.form !== 'dcap-quote' && evidence?.form !== 'snp-report')
    throw new CocoonError('config.image-input', {
      message: `${evidencePath} is neither a TDX quote nor an SEV-SNP report`,
    })
  const { kind, registers } = registersIn(evidence.form, evidence.bytes)
  const log = flags.eventLog === undefined ? null : parseEventLog(read(flags.eventLog))
  const image = await imageAt(folder, onStep)
  const guest = image.guests.find((one) => one.kind === kind)
  if (guest === undefined)
    throw new CocoonError('config.image-input', {
      message: `${folder} describes no ${kind} guest, which ${evidencePath} is of`,
    })
  const compared = await compareWithEvidence(nodeVerifyCrypto, guest, registers, kind === 'tdx' ? log : null)
  const isSame = compared.every((one) => one.isSame)
  if (flags.json === true) t.line(JSON.stringify({ isSame, imageHash: guest.imageHash, registers: compared }, null, 2))
  else showComparison(t, guest, compared)
  return isSame ? 0 : 1
}

async function measure(
  folder: string,
  flags: { readonly json?: boolean; readonly eventLog?: string },
  t: Terminal,
  onStep: (what: string) => void,
): Promise<number> {
  const { image, eventLog } = await measureFolder(folder, onStep)
  if (flags.eventLog !== undefined) {
    if (eventLog === null)
      throw new CocoonError('config.value', {
        message: '--event-log: only TDX guests have one, and image.json has none',
      })
    writeFileSync(flags.eventLog, eventLog)
  }
  if (flags.json === true) t.line(JSON.stringify(image, null, 2))
  else showMeasurement(t, image)
  return 0
}

/** Exit status 1 when two images differ. */
async function explain(
  one: string,
  other: string | undefined,
  asJson: boolean,
  t: Terminal,
  onStep: (what: string) => void,
): Promise<number> {
  const before = await imageAt(one, onStep)
  if (other === undefined) {
    if (asJson) t.line(JSON.stringify(before, null, 2))
    else showParts(t, before)
    return 0
  }
  const after = await imageAt(other, onStep)
  const pairs = after.guests.flatMap((guest) => {
    const was = before.guests.find(({ kind }) => kind === guest.kind)
    return was === undefined ? [] : [{ before: was, after: guest, difference: compareGuests(was, guest) }]
  })
  if (pairs.length === 0)
    throw new CocoonError('config.image-manifest', { message: `${one} and ${other} have no kind of guest in common` })
  if (asJson)
    t.line(
      JSON.stringify(
        pairs.map(({ difference }) => difference),
        null,
        2,
      ),
    )
  else {
    t.line(t.style('bold', `${before.name} → ${after.name}`))
    for (const pair of pairs) showDifference(t, pair.before, pair.after, pair.difference)
  }
  return pairs.every(({ difference }) => difference.registers.length === 0) ? 0 : 1
}

async function imageAt(path: string, onStep: (what: string) => void): Promise<MeasuredImage> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    return (await measureFolder(path, onStep)).image
  const text = readTextInput(path, MAX_MEASUREMENT_BYTES, 'config.image-manifest')
  const refuse = (why: string): CocoonError =>
    new CocoonError('config.image-manifest', {
      message: `${path} is ${why}; give a folder with image.json, or what \`cocoon image measure --json\` wrote`,
    })
  let read: MeasuredImage
  try {
    read = JSON.parse(text) as MeasuredImage
  } catch {
    throw refuse('no JSON')
  }
  const isOne =
    read?.format === 'cocoon-measurement-1' &&
    Array.isArray(read.guests) &&
    read.guests.every(
      (guest) => Array.isArray(guest.parts) && typeof guest.registers === 'object' && typeof guest.inputs === 'object',
    )
  if (!isOne) throw refuse('no measurement')
  return read
}
