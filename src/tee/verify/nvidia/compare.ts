/** Comparing what a GPU measured with what its manifests allow. Browser-safe. */
import { toHex } from '../../../util/index.ts'
import type { GpuReport } from '../../quote/nvidia.ts'
import type { Manifest } from './manifest.ts'

export interface Comparison {
  /** Manifest indexes, rising. Index i is measurement block i + 1. */
  readonly compared: readonly number[]
  /** Those whose value is none of the alternatives, or that the report lacks. */
  readonly different: readonly number[]
  /** Not compared, because what they measure is switched off. */
  readonly skipped: readonly number[]
}

/** The firmware of NVDEC0: nothing runs there when it is disabled. */
const NVDEC0_INDEX = 35

/** Every active value of the manifest against the report. */
export function compareMeasurements(report: GpuReport, manifest: Manifest): Comparison {
  const values = new Map(report.spdm.measurements.map(({ index, value }) => [index - 1, toHex(value)]))
  const active = manifest.values.filter((value) => value.isActive).toSorted((a, b) => a.index - b.index)
  const isSkipped = ({ index }: { readonly index: number }): boolean =>
    index === NVDEC0_INDEX && report.isNvdec0Enabled === false
  const compared = active.filter((value) => !isSkipped(value))
  return {
    compared: compared.map(({ index }) => index),
    different: compared
      .filter(({ index, alternatives }) => !alternatives.includes(values.get(index) ?? 'absent'))
      .map(({ index }) => index),
    skipped: active.filter(isSkipped).map(({ index }) => index),
  }
}

/** Indexes that both claim: then one could hide what the other forbids. */
export function conflictsOf(a: Manifest, b: Manifest): number[] {
  const ofA = new Set(a.values.filter((value) => value.isActive).map((value) => value.index))
  return b.values.filter((value) => value.isActive && ofA.has(value.index)).map((value) => value.index)
}
