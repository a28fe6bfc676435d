/** One file that works from a disk: script and style inside, and a policy that allows those two and nothing else. */
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'

const sha256 = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

function oneFile(): Plugin {
  return {
    name: 'one-file',
    enforce: 'post',
    generateBundle(_, bundle) {
      const files = Object.values(bundle)
      const html = files.find((file) => file.fileName.endsWith('.html'))
      const [script, ...more] = files.filter((file) => file.type === 'chunk')
      const style = files.find((file) => file.fileName.endsWith('.css'))
      if (html?.type !== 'asset' || script === undefined || more.length > 0 || style?.type !== 'asset')
        throw new Error('the page must be one document, one script and one style')
      // Nothing in the code may end the element that it stands in.
      const code = script.code.replaceAll('</script', String.raw`<\/script`)
      const css = String(style.source)
      const policy = `default-src 'none'; script-src ${sha256(code)}; style-src ${sha256(css)}; img-src data:; base-uri 'none'; form-action 'none'`
      // As functions: a dollar sign in the code is no pattern.
      html.source = String(html.source)
        .replace(/<script[^>]*src=[^>]*><\/script>/, '')
        .replace(/<link[^>]*rel="stylesheet"[^>]*>/, () => `<style>${css}</style>`)
        .replace(
          '<meta charset="utf-8" />',
          (head) => `${head}\n    <meta http-equiv="Content-Security-Policy" content="${policy}" />`,
        )
        .replace('</body>', () => `<script type="module">${code}</script>\n  </body>`)
      for (const file of files) if (file !== html) delete bundle[file.fileName]
    },
  }
}

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './',
  resolve: { conditions: ['cocoon-source', 'browser', 'module', 'import'] },
  build: {
    outDir: fileURLToPath(new URL('../../dist/web/verify', import.meta.url)),
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
  },
  plugins: [oneFile()],
})
