/** /v1/files: input files of batches, uploaded as a form and streamed to the disk, and what batches wrote. Shapes: OpenAI's. */
import type { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Files, FileUpload, StoredFile } from '../batch/index.ts'
import { copyBytes, CocoonError, concatBytes, readFormStream } from '../util/index.ts'
import { listFilesQuery, uploadRequest } from './batch-contract.ts'
import type { ViewerOf } from './batch-viewer.ts'
import { apiError } from './errors.ts'
import { pageOf } from './page.ts'
import { checked } from './request-translation.ts'

/** A field of the form that is no file. */
const MAX_FIELD_BYTES = 1024
const MAX_NAME_CHARS = 255
const DEFAULT_NAME = 'input.jsonl'

export function addFileRoutes(app: FastifyInstance, files: Files, viewerOf: ViewerOf): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    // Not read here: what follows goes to the disk as it comes.
    scope.addContentTypeParser('multipart/form-data', (_request, payload, done) => done(null, payload))
    scope.post('/v1/files', async (request) => {
      const { owner } = viewerOf(request.caller)
      return fileOf(await takeUpload(files, owner, request.headers['content-type'] ?? '', request.body as Readable))
    })
  })
  app.get('/v1/files', async (request) => {
    const { after, limit, order, purpose } = checked(listFilesQuery, request.query as object)
    const all = files
      .list(viewerOf(request.caller).viewer)
      .filter((file) => purpose === undefined || file.purpose === purpose)
    return pageOf((order === 'asc' ? all.toReversed() : all).map(fileOf), after, limit)
  })
  app.get<{ Params: { file_id: string } }>('/v1/files/:file_id', async (request) =>
    fileOf(files.get(viewerOf(request.caller).viewer, request.params.file_id)),
  )
  app.get<{ Params: { file_id: string } }>('/v1/files/:file_id/content', async (request, reply) => {
    const { file, bytes } = files.stream(viewerOf(request.caller).viewer, request.params.file_id)
    return reply
      .header('content-length', file.bytes)
      .header('content-disposition', 'attachment')
      .header('cache-control', 'no-store')
      .type('application/octet-stream')
      .send(bytes)
  })
  app.delete<{ Params: { file_id: string } }>('/v1/files/:file_id', async (request) => {
    const { file_id: id } = request.params
    await files.remove(viewerOf(request.caller).viewer, id)
    return { id, object: 'file', deleted: true }
  })
}

/** Throws `request.*`, `capacity.batch-…`; nothing of a refused upload is kept. */
async function takeUpload(files: Files, owner: string, contentType: string, form: Readable): Promise<StoredFile> {
  const texts: Record<string, string> = Object.create(null) as Record<string, string>
  let name = DEFAULT_NAME
  let upload: FileUpload | undefined
  try {
    // A refusal must reach the caller: the connection it still sends on is left alone.
    await readFormStream(form.iterator({ destroyOnReturn: false }), contentType, async (head) => {
      if (head.name === 'file') {
        if (upload !== undefined) throw badField('file', 'is given twice')
        name = nameOf(head.fileName)
        const into = await files.begin(owner)
        upload = into
        return { write: (bytes) => into.write(bytes), end() {} }
      }
      const pieces: Uint8Array[] = []
      let bytes = 0
      return {
        write(piece) {
          bytes += piece.length
          if (bytes > MAX_FIELD_BYTES) throw badField(shown(head.name), `is above ${MAX_FIELD_BYTES} bytes`)
          pieces.push(copyBytes(piece))
        },
        end: () => void (texts[head.name] = new TextDecoder().decode(concatBytes(...pieces))),
      }
    })
    if (upload === undefined) throw badField('file', 'is required')
    const { 'expires_after[seconds]': seconds } = checked(uploadRequest, texts)
    return await (upload as FileUpload).finish(name, seconds === undefined ? undefined : seconds * 1000)
  } catch (thrown) {
    await (upload as FileUpload | undefined)?.discard()
    if (!(thrown instanceof CocoonError)) throw apiError('request.hung-up')
    if (thrown.code === 'request.bad-form')
      throw apiError('request.bad-form', { message: `The body is not a valid form: ${thrown.message}` })
    throw thrown
  }
}

/** Only the last part of a path, without what a terminal would act on. */
const nameOf = (fileName: string | undefined): string =>
  (fileName ?? DEFAULT_NAME)
    .replaceAll(/\p{Cc}/gu, '')
    .split(/[/\\]/)
    .at(-1)
    ?.slice(0, MAX_NAME_CHARS) || DEFAULT_NAME

/** A name of the caller's own making does not get into messages. */
const shown = (name: string): string => (Object.hasOwn(uploadRequest.shape, name) ? name : 'a field')

const badField = (field: string, says: string) =>
  apiError('request.bad-field', { message: `'${field}' ${says}.`, field })

const seconds = (ms: number): number => Math.floor(ms / 1000)

const fileOf = ({ id, purpose, name, bytes, createdMs, expiresMs }: StoredFile) => ({
  id,
  object: 'file',
  bytes,
  created_at: seconds(createdMs),
  expires_at: seconds(expiresMs),
  filename: name,
  purpose,
  status: 'processed',
})
