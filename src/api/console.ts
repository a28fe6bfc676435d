/** GET /console/…: the owner's page (web/console), as it was built. It is public; what it shows needs the admin key. */
import { extname } from 'node:path'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { apiError } from './errors.ts'

/**
 * The page's files by name, asked for at every request: where the page is being worked on, it may have been built anew. The
 * other outcome is a page that cannot be built, and what to do about it.
 */
export type ConsolePage = () => Promise<ReadonlyMap<string, Uint8Array> | { readonly missing: string }>

const TYPE_BY_EXTENSION: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
}

/**
 * The page's own scripts and this node, nothing else: an answer of a model cannot call out, and no frame can hold the page. No
 * text can become markup either: the browser refuses to make any from a string.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

export function addConsoleRoutes(app: FastifyInstance, page: ConsolePage): void {
  const send = async (reply: FastifyReply, name: string): Promise<FastifyReply> => {
    const files = await page()
    if ('missing' in files) throw apiError('capacity.no-console', { message: files.missing })
    const [bytes, type] = [files.get(name), TYPE_BY_EXTENSION[extname(name)]]
    if (bytes === undefined || type === undefined) throw apiError('request.not-found')
    return reply
      .headers({
        'content-security-policy': POLICY,
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cache-control': 'no-cache',
      })
      .type(type)
      .send(bytes)
  }
  app.get('/console', (_request, reply) => reply.redirect('/console/'))
  app.get('/console/', (_request, reply) => send(reply, 'index.html'))
  app.get<{ Params: { name: string } }>('/console/:name', (request, reply) => send(reply, request.params.name))
}
