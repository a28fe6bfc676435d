/** Every constructor that has an object on the wire or on disk, for conformance tests, generators and documents. */
import type { AnyCtor } from '../lang.ts'
import * as client from './client.ts'
import * as common from './common.ts'
import * as http from './http.ts'
import * as keyManager from './key-manager.ts'
import * as proxyDb from './proxy-db.ts'
import * as proxy from './proxy.ts'
import * as rootConfig from './root-config.ts'
import * as runnerConfig from './runner-config.ts'
import * as tcp from './tcp.ts'
import * as test from './test.ts'
import * as ton from './ton.ts'
import * as worker from './worker.ts'
import * as x1 from './x1.ts'

const isCtor = (value: unknown): value is AnyCtor =>
  typeof value === 'object' && value !== null && 'readAsBoxed' in value

const constructorsOf = (...files: readonly object[]): readonly AnyCtor[] =>
  files.flatMap((file) => Object.values(file).filter(isCtor))

/** The network's own: with `primitives`, the rows of spec/tl-constructors.json. */
export const allConstructors: readonly AnyCtor[] = constructorsOf(
  tcp,
  http,
  common,
  client,
  proxy,
  worker,
  keyManager,
  rootConfig,
  proxyDb,
  runnerConfig,
  ton,
  test,
)

/** Ours, for connections with ALPN `cocoon-x1`. */
export const x1Constructors: readonly AnyCtor[] = constructorsOf(x1)
