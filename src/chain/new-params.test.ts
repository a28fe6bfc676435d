import { expect, test } from 'vitest'
import { silentLog } from '../util/index.ts'
import { onNewParams } from './new-params.ts'
import type { Registry, RootConfig } from './registry.ts'

test('each new version of the parameters is told once, other news are not, and nothing after the end', () => {
  const listeners = new Set<(config: RootConfig) => void>()
  const config = (paramsVersion: number) => ({ params: { paramsVersion } }) as RootConfig
  const registry: Registry = {
    current: () => config(1),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close() {},
  }
  let renewed = 0
  const stop = onNewParams(registry, silentLog, () => renewed++)
  const tell = (version: number): number => {
    for (const listener of listeners) listener(config(version))
    return renewed
  }
  expect([1, 2, 2, 3, 1].map(tell)).toEqual([0, 1, 1, 2, 3])
  stop()
  expect(tell(9)).toBe(3)
})
