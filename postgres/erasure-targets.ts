import type { Postgres } from './client.ts'
import { type RequestDeps, readSealedMany } from './sealed-requests.ts'

/** One request's person, as stores know it. Never logged, never in a history. */
export interface OpenedTarget {
  requestId: string
  app: string
  /** 16 bytes each. */
  tokens: Buffer[]
  subjectIds: string[]
  /** 32 bytes each; also of ids that nobody bears. */
  handles: Buffer[]
}

/** Opens the sealed rows of these requests. Requests that are closed by now are left out: nothing of theirs is left. */
export async function readTargets(
  deps: RequestDeps & { postgres: Postgres },
  requestIds: readonly string[],
): Promise<OpenedTarget[]> {
  const [contents, apps] = await Promise.all([
    readSealedMany(deps, requestIds),
    deps.postgres.query<{ request_id: string; app: string }>(
      'read_request_apps',
      'SELECT request_id, app FROM privacy_requests WHERE request_id = ANY($1::uuid[])',
      [requestIds],
    ),
  ])
  return apps.flatMap(({ request_id, app }) => {
    const content = contents.get(request_id)
    if (!content) return []
    const handles = new Set([...content.handles, ...content.subjects.map((subject) => subject.handle)])
    return {
      requestId: request_id,
      app,
      tokens: content.subjects.map((subject) => Buffer.from(subject.token, 'hex')),
      subjectIds: content.subjects.map((subject) => subject.subjectId),
      handles: [...handles].map((handle) => Buffer.from(handle, 'hex')),
    }
  })
}
