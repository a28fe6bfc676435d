import { describe, expect, test } from 'vitest'
import { CATALOGUE, DEFAULT_MODEL } from './catalogue.ts'
import { parseModelReference } from './reference.ts'

const HASH = 'ab'.repeat(32)

describe('model references', () => {
  test.each<readonly [string, object]>([
    ['npm:pkg@1.2.3', { kind: 'npm', files: [{ package: 'pkg', version: '1.2.3' }] }],
    [
      'npm:@scope/pkg@1.2.3-beta.1/dir/model.gguf',
      { kind: 'npm', files: [{ package: '@scope/pkg', version: '1.2.3-beta.1', path: 'dir/model.gguf' }] },
    ],
    [
      'npm:a@1.0.0/x,b@2.0.0/y',
      {
        kind: 'npm',
        files: [
          { package: 'a', version: '1.0.0', path: 'x' },
          { package: 'b', version: '2.0.0', path: 'y' },
        ],
      },
    ],
    ['npm:@scope/pkg@1.2.3/*', { kind: 'package', package: { package: '@scope/pkg', version: '1.2.3' } }],
    [
      'hf:Owner/Repo-GGUF/sub/m.gguf',
      { kind: 'https', url: 'https://huggingface.co/Owner/Repo-GGUF/resolve/main/sub/m.gguf' },
    ],
    ['hf:Owner/Repo@v1.0/m.gguf', { kind: 'https', url: 'https://huggingface.co/Owner/Repo/resolve/v1.0/m.gguf' }],
    ['https://example.org/a/m.gguf?x=1', { kind: 'https', url: 'https://example.org/a/m.gguf?x=1' }],
    ['http://127.0.0.1:8000/m.gguf', { kind: 'https', url: 'http://127.0.0.1:8000/m.gguf' }],
    ['file:///models/m%20x.gguf', { kind: 'file', path: '/models/m x.gguf' }],
    ['file:m.gguf', { kind: 'file', path: 'm.gguf' }],
    ['./m.gguf', { kind: 'file', path: './m.gguf' }],
    ['m.gguf', { kind: 'file', path: 'm.gguf' }],
    ['m.tgz', { kind: 'file', path: 'm.tgz' }],
  ])('%s is understood, with and without a pin', (text, source) => {
    expect(parseModelReference(text)).toMatchObject({ source })
    expect(parseModelReference(text).sha256).toBeUndefined()
    expect(parseModelReference(`${text}#sha256=${HASH.toUpperCase()}`)).toMatchObject({ source, sha256: HASH })
  })

  test.each([
    '',
    'x'.repeat(5000),
    'unknown-name',
    'npm:pkg',
    'npm:pkg@latest',
    'npm:pkg@^1.0.0',
    'npm:pkg@1.0.0/../../etc/passwd',
    'npm:a@1.0.0,,b@1.0.0',
    'npm:a@1.0.0/*,b@1.0.0/x',
    'npm:a@1.0.0/x,b@1.0.0/*',
    'hf:Owner/m.gguf',
    'hf:Owner/Repo/../m.gguf',
    'hf:Owner/Repo/m.bin',
    'http://example.org/m.gguf',
    'https://user:secret@example.org/m.gguf',
    'ftp://example.org/m.gguf',
    'https://',
    './m.gguf#sha256=abc',
    './m.gguf#md5=abc',
  ])('"%s" is refused with the mend', (text) => {
    expect(() => parseModelReference(text)).toThrowError(
      expect.objectContaining({ code: 'model.reference', info: expect.objectContaining({ mend: expect.any(String) }) }),
    )
  })

  test('a password in an address does not get into the error', () => {
    expect(() => parseModelReference('https://user:secret@example.org/m.gguf')).toThrowError(
      expect.not.objectContaining({ message: expect.stringContaining('secret') }),
    )
  })
})

describe('catalogue', () => {
  test('every entry parses under its own name, and the default one is pinned', () => {
    for (const entry of CATALOGUE) expect(parseModelReference(entry.name).name).toBe(entry.name)
    expect(parseModelReference(DEFAULT_MODEL).sha256).toMatch(/^[0-9a-f]{64}$/)
  })

  test('a pin given with a name counts more than the catalogue’s', () => {
    expect(parseModelReference(`${DEFAULT_MODEL}#sha256=${HASH}`).sha256).toBe(HASH)
  })
})
