/** GET /console/…: the owner's page (web/console), served as it lies on the disk. It is public; what it shows needs the admin key. */
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { apiError } from './errors.ts'

const TYPE_BY_EXTENSION: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
}

/** The page's own scripts and this node, nothing else: an answer of a model cannot call out, and no frame can hold the page. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** @param folder where the page's files lie */
export function addConsoleRoutes(app: FastifyInstance, folder: string): void {
  const fileByName = new Map(
    readdirSync(folder)
      .filter((name) => extname(name) in TYPE_BY_EXTENSION)
      .map((name) => [name, readFileSync(join(folder, name))]),
  )
  const send = (reply: FastifyReply, name: string): FastifyReply => {
    const bytes = fileByName.get(name)
    if (bytes === undefined) throw apiError('request.not-found')
    return reply
      .headers({
        'content-security-policy': POLICY,
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-cache',
      })
      .type(TYPE_BY_EXTENSION[extname(name)] ?? '')
      .send(bytes)
  }
  app.get('/console', (_request, reply) => reply.redirect('/console/'))
  app.get('/console/', (_request, reply) => send(reply, 'index.html'))
  app.get<{ Params: { name: string } }>('/console/:name', (request, reply) => send(reply, request.params.name))
}
