/**
 * The measurement of an image in a form that is printed, kept and compared: registers, what each was made of, and the inputs
 * that each part came from. Browser-safe.
 */
import { toHex } from '../../util/index.ts'
import type { ImageInput } from './launch-event.ts'
import type { SnpMeasurement } from './snp-launch.ts'
import type { TdxMeasurement } from './tdx-launch.ts'

export interface MeasuredPart {
  /** `mrtd`, `rtmr0` to `rtmr3`, `launchDigest`. */
  readonly register: string
  readonly name: string
  /** Hex. For registers that are extended, what they are extended with; for others, of this part alone. */
  readonly digest: string
  readonly inputs: readonly ImageInput[]
}

export interface MeasuredGuest {
  readonly kind: 'tdx' | 'sev-snp'
  /** Hex: what registries list. */
  readonly imageHash: string
  readonly registers: Readonly<Record<string, string>>
  readonly parts: readonly MeasuredPart[]
  /** What stood in the description, or the SHA-256 of a file. */
  readonly inputs: Readonly<Partial<Record<ImageInput, string>>>
}

export interface MeasuredImage {
  readonly format: 'cocoon-measurement-1'
  readonly name: string
  readonly guests: readonly MeasuredGuest[]
}

export function describeTdx(measured: TdxMeasurement, inputs: MeasuredGuest['inputs']): MeasuredGuest {
  return {
    kind: 'tdx',
    imageHash: measured.imageHash,
    registers: {
      mrtd: toHex(measured.mrtd),
      ...Object.fromEntries(measured.rtmrs.map((value, i) => [`rtmr${i}`, toHex(value)])),
    },
    parts: [
      ...measured.mrtdParts.map(
        ({ section, digest }): MeasuredPart => ({
          register: 'mrtd',
          name: `${section.kind} at 0x${section.address.toString(16)}`,
          digest: toHex(digest),
          inputs: ['firmware', 'launchOrder'],
        }),
      ),
      ...measured.events
        .toSorted((a, b) => a.rtmr - b.rtmr)
        .map(
          ({ rtmr, name, digest, inputs: from }): MeasuredPart => ({
            register: `rtmr${rtmr}`,
            name,
            digest: toHex(digest),
            inputs: from,
          }),
        ),
    ],
    inputs,
  }
}

export function describeSnp(measured: SnpMeasurement, inputs: MeasuredGuest['inputs']): MeasuredGuest {
  return {
    kind: 'sev-snp',
    imageHash: measured.imageHash,
    registers: { launchDigest: toHex(measured.launchDigest) },
    parts: measured.steps.map(({ name, digest, inputs: from }) => ({
      register: 'launchDigest',
      name,
      digest: toHex(digest),
      inputs: from,
    })),
    inputs,
  }
}

/** One part that differs, and the inputs behind it that do. */
export interface PartDifference {
  readonly register: string
  readonly name: string
  readonly change: 'changed' | 'added' | 'removed'
  /** None: the code that measures is another, or the order of the parts. */
  readonly because: readonly { readonly input: ImageInput; readonly before: string; readonly after: string }[]
}

export interface GuestDifference {
  readonly kind: MeasuredGuest['kind']
  /** Names of the registers that differ. */
  readonly registers: readonly string[]
  readonly parts: readonly PartDifference[]
  /** Inputs that differ and moved nothing. */
  readonly withoutEffect: readonly ImageInput[]
}

const ABSENT = 'none'

/** What moved between two measurements of guests of the same kind. */
export function compareGuests(before: MeasuredGuest, after: MeasuredGuest): GuestDifference {
  const changed = (input: ImageInput): boolean => (before.inputs[input] ?? ABSENT) !== (after.inputs[input] ?? ABSENT)
  const keyOf = (part: MeasuredPart): string => `${part.register}/${part.name}`
  const [old, fresh] = [before, after].map((guest) => new Map(guest.parts.map((part) => [keyOf(part), part]))) as [
    Map<string, MeasuredPart>,
    Map<string, MeasuredPart>,
  ]
  const parts = [...new Set([...old.keys(), ...fresh.keys()])].flatMap((key): PartDifference[] => {
    const [was, is] = [old.get(key), fresh.get(key)]
    if (was?.digest === is?.digest) return []
    const { register, name } = (is ?? was) as MeasuredPart
    return [
      {
        register,
        name,
        change: was === undefined ? 'added' : is === undefined ? 'removed' : 'changed',
        because: [...new Set([...(was?.inputs ?? []), ...(is?.inputs ?? [])])].filter(changed).map((input) => ({
          input,
          before: before.inputs[input] ?? ABSENT,
          after: after.inputs[input] ?? ABSENT,
        })),
      },
    ]
  })
  const effective = new Set(parts.flatMap((part) => part.because.map(({ input }) => input)))
  const inputs = [...new Set([...Object.keys(before.inputs), ...Object.keys(after.inputs)])] as ImageInput[]
  return {
    kind: after.kind,
    registers: Object.keys(after.registers).filter((name) => before.registers[name] !== after.registers[name]),
    parts,
    withoutEffect: inputs.filter((input) => changed(input) && !effective.has(input)),
  }
}
