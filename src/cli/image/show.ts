/** A measurement, and the difference of two, for people. */
import type {
  GuestDifference,
  MeasuredGuest,
  MeasuredImage,
  MeasuredPart,
  RegisterComparison,
} from '../../tee/index.ts'
import { printable, type Terminal } from '../terminal.ts'

const KINDS = { tdx: 'Intel TDX guest', 'sev-snp': 'AMD SEV-SNP guest' } as const

export function showMeasurement(t: Terminal, image: MeasuredImage): void {
  t.line(t.style('bold', printable(image.name)))
  for (const guest of image.guests) {
    t.line(`\n${t.style('bold', KINDS[guest.kind])}`)
    for (const [name, value] of Object.entries(guest.registers)) t.line(`  ${name.padEnd(12)}  ${value}`)
    t.line(`  ${t.style('green', 'image hash  ')}  ${guest.imageHash}`)
  }
}

/** Every part with the inputs that it came from. */
export function showParts(t: Terminal, image: MeasuredImage): void {
  showMeasurement(t, image)
  for (const guest of image.guests) {
    t.line(`\n${t.style('bold', `${KINDS[guest.kind]}: what each register is made of`)}`)
    const width = Math.max(...guest.parts.map((part) => part.name.length))
    for (const register of Object.keys(guest.registers)) {
      t.line(`  ${t.style('bold', register)}`)
      for (const part of guest.parts.filter((one) => one.register === register))
        t.line(`    ${part.digest.slice(0, 16)}…  ${printable(part.name).padEnd(width)}  ${originOf(part)}`)
    }
    t.line('  Inputs')
    for (const [name, value] of Object.entries(guest.inputs)) t.line(`    ${name.padEnd(14)}  ${printable(value)}`)
  }
}

const originOf = (part: MeasuredPart): string =>
  part.inputs.length === 0 ? 'the same everywhere' : `from ${part.inputs.join(', ')}`

export function showDifference(
  t: Terminal,
  before: MeasuredGuest,
  after: MeasuredGuest,
  difference: GuestDifference,
): void {
  t.line(`\n${t.style('bold', KINDS[after.kind])}`)
  if (before.imageHash === after.imageHash) t.line(`  ${t.style('green', 'the same image hash')}  ${after.imageHash}`)
  else t.line(`  image hash  ${before.imageHash}\n           →  ${after.imageHash}`)
  for (const register of difference.registers) {
    t.line(`  ${t.style('yellow', `${register} moved`)}`)
    for (const part of difference.parts.filter((one) => one.register === register)) {
      t.line(`    ${printable(part.name)} ${part.change}`)
      for (const { input, before: was, after: is } of part.because)
        t.line(`      ${input}: ${shortened(was)} → ${shortened(is)}`)
      if (part.because.length === 0) t.line('      although its inputs are the same: another version measured it')
    }
  }
  for (const input of difference.withoutEffect) t.line(`  ${input} differs, and moved nothing`)
}

export function showComparison(t: Terminal, guest: MeasuredGuest, compared: readonly RegisterComparison[]): void {
  t.line(t.style('bold', KINDS[guest.kind]))
  for (const { register, computed, found, isSame, parting } of compared) {
    if (isSame) {
      t.line(`  ${t.style('green', 'same')}     ${register.padEnd(12)}  ${computed}`)
      continue
    }
    t.line(`  ${t.style('red', 'DIFFERS')}  ${register.padEnd(12)}  computed ${computed}`)
    t.line(`${' '.repeat(25)}  found    ${found}`)
    if (parting === null) continue
    const { place, computed: event, logged } = parting
    t.line(
      `${' '.repeat(25)}  from event ${place + 1} on: computed ${event === null ? 'nothing more' : `${printable(event.name)} ${event.digest.slice(0, 16)}…`}, logged ${logged === null ? 'nothing more' : `${logged.slice(0, 16)}…`}`,
    )
  }
  t.line('\nWhether the evidence is genuine says `cocoon verify`.')
}

/** Hashes are told apart by their beginning; the whole values are in --json. */
const shortened = (text: string): string => printable(/^[0-9a-f]{64}$/.test(text) ? `${text.slice(0, 16)}…` : text)
