/**
 * What verifying evidence yields, whatever the hardware: every check with its inputs and its outcome, the facts, and, for a
 * refusal, the code of the first check that failed. This one object is logged, served and shown. Browser-safe.
 */
import { CocoonError, type ErrorCode } from '../../util/index.ts'

/** `info` states something that was not judged, or could not be. */
export type CheckOutcome = 'passed' | 'failed' | 'info'

/** What a check looked at, as people read it: hex, names, dates in ISO 8601. Never a secret. */
export type CheckInputs = Readonly<Record<string, string | number | boolean | null>>

export interface Check {
  /** Stable, lower case with dashes, unique in its list: `snp-report-signature`. */
  readonly id: string
  readonly outcome: CheckOutcome
  /** One sentence. */
  readonly detail: string
  readonly inputs: CheckInputs
  /** Only when it failed. */
  readonly code?: ErrorCode
}

export type Verification<Facts> =
  | { readonly ok: true; readonly facts: Facts; readonly checks: readonly Check[] }
  | {
      readonly ok: false
      /** Of the first check that failed. */
      readonly code: ErrorCode
      /** What was claimed, for display only: nothing of it is proven. Null when the evidence could not be read. */
      readonly facts: Facts | null
      readonly checks: readonly Check[]
    }

/** The words for both outcomes of a check. */
export interface CheckWords {
  readonly passed: string
  readonly failed: string
}

/** Collects checks in order. Those after a failure still run where they can, so that one look shows everything wrong. */
export class Checklist {
  readonly #checks: Check[] = []
  #firstCode: ErrorCode | null = null

  /** Records the outcome and returns it. */
  require(id: string, holds: boolean, code: ErrorCode, words: CheckWords, inputs: CheckInputs = {}): boolean {
    if (holds) this.#checks.push({ id, outcome: 'passed', detail: words.passed, inputs })
    else this.fail(id, code, words.failed, inputs)
    return holds
  }

  fail(id: string, code: ErrorCode, detail: string, inputs: CheckInputs = {}): void {
    this.#checks.push({ id, outcome: 'failed', detail, inputs, code })
    this.#firstCode ??= code
  }

  info(id: string, detail: string, inputs: CheckInputs = {}): void {
    this.#checks.push({ id, outcome: 'info', detail, inputs })
  }

  /** Adds what another list found, in order. */
  append(checks: readonly Check[]): void {
    for (const check of checks) {
      this.#checks.push(check)
      if (check.outcome === 'failed') this.#firstCode ??= check.code ?? 'bug.check-without-code'
    }
  }

  /** So far. */
  get checks(): readonly Check[] {
    return this.#checks
  }

  get failed(): boolean {
    return this.#firstCode !== null
  }

  /** Facts may be missing only when a check failed. */
  finish<Facts>(facts: Facts | null): Verification<Facts> {
    const checks = this.#checks
    if (this.#firstCode !== null) return { ok: false, code: this.#firstCode, facts, checks }
    if (facts === null) throw new CocoonError('bug.verified-without-facts')
    return { ok: true, facts, checks }
  }
}

/** The facts, or the first failure thrown under its code with the inputs of the check. */
export function verifiedOrThrow<Facts>(result: Verification<Facts>): Facts {
  if (result.ok) return result.facts
  const first = result.checks.find((c) => c.outcome === 'failed')
  throw new CocoonError(result.code, {
    ...first?.inputs,
    check: first?.id,
    message: first?.detail ?? 'The evidence was refused.',
  })
}
