import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type EnclaveLevel,
  type EnclaveStatus,
  PLATFORM_STATUSES,
  type PlatformLevel,
  type PlatformStatus,
} from './tcb-info.ts'
import { combine, enclaveLevel, moduleIdentity, overallStatus, platformLevel } from './tcb-status.ts'

const level = (sgx: number, pceSvn: number, tdx: number, status: PlatformStatus = 'UpToDate'): PlatformLevel => ({
  sgxComponents: Array<number>(16).fill(sgx),
  pceSvn,
  tdxComponents: Array<number>(16).fill(tdx),
  status,
  tcbDateMs: 3,
  advisoryIds: ['P'],
})
const enclave = (isvSvn: number, status: EnclaveStatus = 'UpToDate', tcbDateMs = 2): EnclaveLevel => ({
  isvSvn,
  status,
  tcbDateMs,
  advisoryIds: ['E', 'P'],
})
const sixteen = (fill: number): number[] => Array<number>(16).fill(fill)

describe('the level of a platform', () => {
  const levels = [level(5, 5, 5), level(3, 3, 3, 'OutOfDate')]
  const tee = (...first: number[]): Uint8Array => Uint8Array.from(sixteen(5), (svn, i) => first[i] ?? svn)

  test('is the highest that it reaches in every component', () => {
    expect(platformLevel(levels, { sgxComponents: sixteen(5), pceSvn: 5, teeTcbSvn: tee() })).toBe(levels[0])
    expect(platformLevel(levels, { sgxComponents: sixteen(9), pceSvn: 4, teeTcbSvn: tee() })).toBe(levels[1])
    expect(platformLevel(levels, { sgxComponents: sixteen(9), pceSvn: 2, teeTcbSvn: tee() })).toBeNull()
  })

  test('one component short of it, whichever, is not enough', () => {
    fc.assert(
      fc.property(fc.nat(15), (at) => {
        const sgxComponents = sixteen(5).with(at, 4)
        expect(platformLevel(levels, { sgxComponents, pceSvn: 5, teeTcbSvn: null })).toBe(levels[1])
        const teeTcbSvn = tee().with(at, 4)
        // With a module above version 0 the first two are the module's own.
        const isCounted = at >= 2
        expect(platformLevel(levels, { sgxComponents: sixteen(5), pceSvn: 5, teeTcbSvn })).toBe(
          levels[isCounted ? 1 : 0],
        )
      }),
    )
  })

  test('counts all sixteen of TEE_TCB_SVN when the module’s version is 0', () => {
    const svns = { sgxComponents: sixteen(5), pceSvn: 5 }
    const flat = [{ ...level(5, 5, 5), tdxComponents: sixteen(5).with(1, 0) }]
    expect(platformLevel(flat, { ...svns, teeTcbSvn: tee(4, 0) })).toBeNull()
    expect(platformLevel(flat, { ...svns, teeTcbSvn: tee(5, 0) })).toBe(flat[0])
    expect(platformLevel(flat, { ...svns, teeTcbSvn: tee(0, 1) })).toBe(flat[0])
  })
})

test('a level of an enclave is the highest at or below its SVN', () => {
  const levels = [enclave(6), enclave(4, 'OutOfDate')]
  expect([7, 6, 5, 4].map((svn) => enclaveLevel(levels, svn)?.isvSvn)).toEqual([6, 6, 4, 4])
  expect(enclaveLevel(levels, 3)).toBeNull()
})

test('a module is found by its version in upper-case hex', () => {
  const identity = { id: 'TDX_0A', mrSigner: new Uint8Array(48), attributes: new Uint8Array(8), levels: [] }
  expect(moduleIdentity([identity], 10)).toBe(identity)
  expect(moduleIdentity([identity], 0x10)).toBeNull()
})

describe('combining', () => {
  const rows: readonly (readonly [PlatformStatus, PlatformStatus])[] = [
    ['UpToDate', 'OutOfDate'],
    ['SWHardeningNeeded', 'OutOfDate'],
    ['ConfigurationNeeded', 'OutOfDateConfigurationNeeded'],
    ['ConfigurationAndSWHardeningNeeded', 'OutOfDateConfigurationNeeded'],
    ['OutOfDate', 'OutOfDate'],
    ['OutOfDateConfigurationNeeded', 'OutOfDateConfigurationNeeded'],
    ['Revoked', 'Revoked'],
  ]

  test.each(rows)('%s with something outdated is %s', (platform, outdated) => {
    const of = (...statuses: EnclaveStatus[]): PlatformStatus =>
      combine(level(1, 1, 1, platform), ...statuses.map((status) => enclave(1, status))).status
    expect(of('UpToDate', 'UpToDate')).toBe(platform)
    expect([of('OutOfDate', 'UpToDate'), of('UpToDate', 'OutOfDate'), of('OutOfDate', 'OutOfDate')]).toEqual([
      outdated,
      outdated,
      outdated,
    ])
    expect([of('Revoked', 'UpToDate'), of('OutOfDate', 'Revoked')]).toEqual(['Revoked', 'Revoked'])
  })

  test('the table names every status', () => {
    expect(rows.map(([status]) => status).toSorted()).toEqual(PLATFORM_STATUSES.toSorted())
  })

  test('takes the earliest date and every advisory once, sorted', () => {
    expect(combine(level(1, 1, 1), enclave(1), enclave(1, 'UpToDate', 1))).toMatchObject({
      tcbDateMs: 1,
      advisoryIds: ['E', 'P'],
    })
  })
})

describe('the overall status', () => {
  const current = ['UpToDate', 'SWHardeningNeeded', 'ConfigurationNeeded', 'ConfigurationAndSWHardeningNeeded'] as const
  const advised = 'TDRelaunchAdvised'
  const configuration = 'TDRelaunchAdvisedConfigurationNeeded'

  test('is the launch’s without a current one', () => {
    for (const status of PLATFORM_STATUSES) expect(overallStatus(status, null)).toBe(status)
  })

  test('advises a relaunch when only the launch is outdated', () => {
    expect(current.map((status) => overallStatus('OutOfDate', status))).toEqual([
      advised,
      advised,
      configuration,
      configuration,
    ])
    expect(current.map((status) => overallStatus('OutOfDateConfigurationNeeded', status))).toEqual(
      Array(4).fill(configuration),
    )
  })

  test('is the launch’s in all other cases, and Revoked when the current one is', () => {
    for (const launch of PLATFORM_STATUSES)
      for (const status of PLATFORM_STATUSES) {
        if (launch.startsWith('OutOfDate') && (current as readonly string[]).includes(status)) continue
        expect(overallStatus(launch, status)).toBe(status === 'Revoked' ? 'Revoked' : launch)
      }
  })
})
