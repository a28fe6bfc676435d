/**
 * The part of vitest that the contract tests use, in one process: test files are loaded once and run again and again on other
 * code, until the first test that fails. The mutation run needs that a thousand times; starting vitest each time would cost
 * more than the tests. Tests that failed before run first.
 *
 * Knows describe, test, each, skipIf, beforeAll, beforeEach and the matchers below; what is not here is missing with an error.
 * `loadTests` proves on the code as it is that this runner agrees with vitest: every test must pass.
 */
import { registerHooks } from 'node:module'
import { isDeepStrictEqual } from 'node:util'

type Body = (...args: never[]) => unknown
type Step = () => unknown

interface Suite {
  readonly parent: Suite | null
  readonly before: Step[]
  readonly beforeEach: Step[]
}

interface Test {
  readonly suite: Suite
  readonly name: string
  readonly body: Step
  kills: number
}

export interface LoadedTests {
  /** The name of the first test that fails, or null when all pass. */
  firstFailure(): Promise<string | null>
}

/** A test that takes longer has failed: the broken code goes round in circles. */
const MAX_TEST_MS = 120_000

class Mismatch extends Error {}

let current: Suite = { parent: null, before: [], beforeEach: [] }
let collected: Test[] = []

/** Loads a test file, with this runner in the place of vitest. */
export async function loadTests(file: URL): Promise<LoadedTests> {
  const root: Suite = { parent: null, before: [], beforeEach: [] }
  current = root
  collected = []
  await import(file.href)
  const tests = collected
  return {
    firstFailure: async () => {
      const ready = new Set<Suite>()
      for (const test of tests.toSorted((a, b) => b.kills - a.kills)) {
        if (await passes(test, ready)) continue
        test.kills++
        return test.name
      }
      return null
    },
  }
}

/** From now on `import 'vitest'` means this file. */
export function standInForVitest(): void {
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'vitest' ? { url: import.meta.url, shortCircuit: true } : next(specifier, context),
  })
}

async function passes(test: Test, ready: Set<Suite>): Promise<boolean> {
  const chain: Suite[] = []
  for (let suite: Suite | null = test.suite; suite !== null; suite = suite.parent) chain.unshift(suite)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Mismatch('too slow')), MAX_TEST_MS)
  })
  const run = async (): Promise<void> => {
    for (const suite of chain) {
      if (!ready.has(suite)) for (const step of suite.before) await step()
      ready.add(suite)
    }
    for (const suite of chain) for (const step of suite.beforeEach) await step()
    await test.body()
  }
  try {
    await Promise.race([run(), late])
    return true
  } catch {
    return false
  } finally {
    clearTimeout(timer)
  }
}

const each =
  (define: (title: string, body: Step) => void) =>
  (rows: readonly unknown[]) =>
  (title: string, body: Body): void => {
    for (const [index, row] of rows.entries()) {
      const args = (Array.isArray(row) ? row : [row]) as never[]
      define(`${title} #${index}`, () => body(...args))
    }
  }

function defineSuite(_: string, body: Step): void {
  const outer = current
  current = { parent: outer, before: [], beforeEach: [] }
  body()
  current = outer
}

function defineTest(name: string, body: Step): void {
  collected.push({ suite: current, name, body, kills: 0 })
}

const skipped = (): void => undefined

export const describe = Object.assign(defineSuite, { each: each(defineSuite) })
export const test = Object.assign(defineTest, {
  each: each(defineTest),
  skipIf: (isSkipped: boolean) =>
    isSkipped ? Object.assign(skipped, { each: () => skipped }) : Object.assign(defineTest, { each: each(defineTest) }),
})
export const beforeAll = (step: Step): void => void current.before.push(step)
export const beforeEach = (step: Step): void => void current.beforeEach.push(step)

type Matcher = (actual: never, wanted: never) => boolean
const MATCHERS = {
  toBe: (actual: unknown, wanted: unknown) => Object.is(actual, wanted),
  toEqual: (actual: unknown, wanted: unknown) => isDeepStrictEqual(actual, wanted),
  toMatchObject: matches,
  toBeNull: (actual: unknown) => actual === null,
  toHaveLength: (actual: { readonly length: number }, wanted: number) => actual.length === wanted,
  toContain: (actual: readonly unknown[], wanted: unknown) => actual.includes(wanted),
  toBeGreaterThan: (actual: bigint, wanted: bigint) => actual > wanted,
  toBeGreaterThanOrEqual: (actual: bigint, wanted: bigint) => actual >= wanted,
  toBeLessThan: (actual: bigint, wanted: bigint) => actual < wanted,
} satisfies Record<string, Matcher>

export function expect(actual: unknown): Record<string, (wanted?: unknown) => void> & { readonly not: unknown } {
  const matchers = (isWanted: boolean) =>
    Object.fromEntries(
      Object.entries(MATCHERS as Record<string, Matcher>).map(([name, matcher]) => [
        name,
        (wanted?: unknown): void => {
          if (matcher(actual as never, wanted as never) !== isWanted) throw new Mismatch(name)
        },
      ]),
    )
  return { ...matchers(true), not: matchers(false) } as ReturnType<typeof expect>
}

/** Every field that is wanted is there and equal; arrays have the same length. */
function matches(actual: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return Object.is(actual, wanted)
  if (typeof actual !== 'object' || actual === null) return false
  if (Array.isArray(wanted) && (!Array.isArray(actual) || actual.length !== wanted.length)) return false
  return Object.entries(wanted).every(([key, value]) => matches((actual as Record<string, unknown>)[key], value))
}
