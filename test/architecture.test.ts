/**
 * The house rules that a compiler does not hold: who may import whom (docs/architecture.md, "Folders and ranks"), what
 * works in a browser, where the environment is read. A failure lists file, line and what to do.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { filesBelow, type Import, lineAt, ROOT, readSource, readText, type Source } from './support/source-files.ts'

/** Rank of each folder. `sdk` stands on `api`; `ledger` and `engine` do not know each other. */
const RANKS: Readonly<Record<string, number>> = {
  util: 0,
  disk: 1,
  sqlite: 1,
  tl: 1,
  transport: 2,
  tee: 2,
  chain: 2,
  models: 2,
  telemetry: 2,
  attest: 3,
  ledger: 3,
  devnet: 3,
  engine: 3,
  'roles/client': 4,
  'roles/proxy': 4,
  'roles/worker': 4,
  gateway: 4.5,
  batch: 4.7,
  api: 5,
  sdk: 5.5,
  cli: 6,
}

/** Besides each folder's index.ts: the embedded engines are processes of their own, and nobody else may load them by accident. */
const MORE_DOORS = new Set(['src/engine/llama/index.ts', 'src/engine/whisper/index.ts'])

const sources = filesBelow('src')
  .filter((path) => path.endsWith('.ts'))
  .map(readSource)
const product = sources.filter((s) => !isTestCode(s.path))
const others = ['test', 'bench', 'examples', 'scripts', 'web']
  .flatMap(filesBelow)
  .filter((path) => /\.tsx?$/.test(path))
  .map(readSource)

/** Tests, shared suites, and what only tests are made of. */
function isTestCode(path: string): boolean {
  return /\.(?:test|suite)\.ts$/.test(path) || /\/(?:api-under-test|scripted-[\w-]+)\.ts$/.test(path)
}

/** `roles/client` for src/roles/client/node.ts, `tee` for src/tee/ratls/der.ts; null outside src. */
function folderOf(path: string): string | null {
  const [top, folder, second] = path.split('/')
  if (top !== 'src' || folder === undefined) return null
  return folder === 'roles' ? `roles/${second}` : folder
}

function violations(of: readonly Source[], judge: (source: Source, one: Import) => string | null): string[] {
  return of.flatMap((source) =>
    source.imports.flatMap((one) => {
      const problem = judge(source, one)
      return problem === null ? [] : [`${source.path}:${one.line} imports ${one.from}: ${problem}`]
    }),
  )
}

/** Every place where `pattern` stands in code: not in comments, not in strings. */
function places(of: readonly Source[], pattern: RegExp, advice: string): string[] {
  return of.flatMap(({ path, code }) =>
    [...code.matchAll(pattern)].map((m) => `${path}:${lineAt(code, m.index)} ${m[0].trim()}: ${advice}`),
  )
}

test('every folder in src has a rank here and in docs/architecture.md, and a door', () => {
  const folders = [...new Set(sources.map((s) => folderOf(s.path)))].filter((f) => f !== null)
  const documented = readText('docs/architecture.md')
  const problems = folders.flatMap((folder) => [
    ...(folder in RANKS ? [] : [`src/${folder}: give it a rank in RANKS`]),
    ...(documented.includes(`\`${folder}\``) ? [] : [`src/${folder}: name it in docs/architecture.md`]),
    // cli is the top: nobody imports it, so it needs no door.
    ...(folder === 'cli' || existsSync(join(ROOT, 'src', folder, 'index.ts')) ? [] : [`src/${folder}: add index.ts`]),
  ])
  expect(problems).toEqual([])
})

test('a folder imports only lower ranks, and only through the other folder’s index.ts', () => {
  const problems = violations(sources, ({ path }, { file }) => {
    if (file === null) return null
    const [from, to] = [folderOf(path), folderOf(file)]
    if (from === to) return null
    if (from === null || to === null)
      return isTestCode(path) ? null : 'src stands alone; what it needs from outside is an argument'
    const [own, other] = [RANKS[from] ?? Number.NaN, RANKS[to] ?? Number.NaN]
    if (!(other < own))
      return `${to} has rank ${other}, ${from} has ${own}; move what both need to a lower folder, or pass it as an argument`
    return file === `src/${to}/index.ts` || MORE_DOORS.has(file) ? null : `go through src/${to}/index.ts`
  })
  expect(problems).toEqual([])
})

test('nothing but tests imports tests', () => {
  const problems = violations(product, (_, { file }) =>
    file !== null && isTestCode(file) ? 'product code must not need test code' : null,
  )
  expect(problems).toEqual([])
})

test('imports name the file with .ts, and it exists', () => {
  const problems = violations([...sources, ...others], (_, { file }) => {
    if (file === null || !/\.(?:tsx?|mjs)?$/.test(file.slice(file.lastIndexOf('/')))) return null
    if (!/\.(?:tsx?|mjs)$/.test(file)) return 'write the extension'
    return existsSync(join(ROOT, file)) ? null : 'there is no such file'
  })
  expect(problems).toEqual([])
})

test('no import is for its side effect', () => {
  const problems = violations(product, (_, { isSideEffect }) =>
    isSideEffect ? 'export a function and call it where things are put together' : null,
  )
  expect(problems).toEqual([])
})

/** What may run in a browser; it may import packages and its own kind only. */
function isBrowserSafe(path: string): boolean {
  return (
    /^src\/(?:util|tl|tee\/(?:quote|verify|policy|collateral|measure))\//.test(path) ||
    path === 'src/api/contract.ts' ||
    claimsBrowser(path)
  )
}

/** Files elsewhere that say so in their first comment. */
function claimsBrowser(path: string): boolean {
  if (path.endsWith('index.ts')) return false
  return /browser-safe/i.test(/^\/\*\*[\s\S]*?\*\//.exec(readText(path))?.[0] ?? '')
}

test('browser-safe files import no node: module, directly or through others', () => {
  const sourceByPath = new Map(sources.map((s) => [s.path, s]))
  const culprits = (path: string, seen: Set<string>): string[] => {
    if (seen.has(path)) return []
    seen.add(path)
    const source = sourceByPath.get(path)
    if (source === undefined) return []
    const own = source.imports.filter((i) => i.from.startsWith('node:')).map((i) => `${path}:${i.line} ${i.from}`)
    return [...own, ...source.imports.flatMap((i) => (i.file === null ? [] : culprits(i.file, seen)))]
  }
  const problems = product
    .filter((s) => isBrowserSafe(s.path))
    .flatMap(({ path }) => culprits(path, new Set()).map((why) => `${path} is browser-safe but reaches ${why}`))
  expect(problems).toEqual([])
})

test('only cli and bin read the environment and the command line', () => {
  const elsewhere = product.filter((s) => folderOf(s.path) !== 'cli')
  expect(places(elsewhere, /\bprocess\.(?:env|argv)\b/g, 'take it as an option; cli reads it')).toEqual([])
})

test('nothing writes to the console', () => {
  expect(places(product, /\bconsole\.\w+/g, 'use the Log that was passed in')).toEqual([])
})

test('no module keeps state that changes', () => {
  expect(places(product, /^(?:export\s+)?(?:let|var)\s+\w+/gm, 'make it a part of what createX returns')).toEqual([])
})

test('bytes are copied by copyBytes: slice of a Buffer copies nothing, whatever its type says', () => {
  expect(places(product, /\.slice\(\)/g, 'copyBytes(bytes), or [...list]')).toEqual([])
})

test('modules export names, not defaults', () => {
  expect(places(product, /^export default\b/gm, 'export it by its name')).toEqual([])
})

test('every export is used somewhere', () => {
  const everything = [...sources, ...others]
  const taken = new Map<string, Set<string>>()
  const doors = new Map<string, Import[]>()
  for (const { path, imports } of everything)
    for (const one of imports) {
      if (one.file === null) continue
      if (one.isReExport) doors.set(path, [...(doors.get(path) ?? []), one])
      else for (const name of one.names) takenFrom(one.file).add(name)
    }
  function takenFrom(file: string): Set<string> {
    const names = taken.get(file) ?? new Set()
    taken.set(file, names)
    return names
  }
  // What is taken at a door is taken from the rooms behind it. Doors open onto doors: repeat until nothing is new.
  for (let isNew = true; isNew; ) {
    isNew = false
    for (const [door, rooms] of doors)
      for (const room of rooms)
        for (const name of takenFrom(door)) {
          if (!room.names.includes('*') && !room.names.includes(name) && name !== '*') continue
          const into = takenFrom(room.file as string)
          if (into.has(name)) continue
          into.add(name)
          isNew = true
        }
  }
  const unused = product
    .filter(({ path }) => !isPublic(path, doors))
    .flatMap(({ path, exports, text }) => {
      const names = taken.get(path) ?? new Set()
      // Types that only the signatures beside them name are exported for those who call; a folder's error codes for those who read.
      const isNamedTwice = (name: string): boolean => text.split(new RegExp(String.raw`\b${name}\b`)).length > 2
      return exports
        .filter((e) => !names.has(e.name) && !names.has('*') && !isNamedTwice(e.name) && !e.name.endsWith('ErrorCode'))
        .map((e) => `${path}:${e.line} ${e.name}: nobody uses it, not even tests; drop it`)
    })
  expect(unused).toEqual([])
})

/** Behind a door that package.json opens to others: `cocoon`, `cocoon/tl`, `cocoon/tee`. */
function isPublic(path: string, doors: ReadonlyMap<string, readonly Import[]>): boolean {
  const reached = new Set<string>()
  const walk = (file: string): void => {
    if (reached.has(file)) return
    reached.add(file)
    for (const room of doors.get(file) ?? []) if (room.file !== null) walk(room.file)
  }
  for (const door of ['src/sdk/index.ts', 'src/tl/index.ts', 'src/tee/index.ts']) walk(door)
  return reached.has(path)
}

test('no file names the place it was made at', () => {
  const forbidden = [['..', 'shared'].join('/'), ['', 'work', ''].join('/'), ['npm', 'js'].join('')]
  const isText = (path: string): boolean => !/\.(?:jsonl|gguf|png|bin|boc|der)$/.test(path)
  const problems = filesBelow('')
    .filter(isText)
    .flatMap((path) => {
      const text = readText(path)
      return forbidden
        .filter((word) => text.includes(word))
        .map((word) => `${path}:${lineAt(text, text.indexOf(word))} says ${word}`)
    })
  expect(problems).toEqual([])
})
