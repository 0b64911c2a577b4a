import type { Connection, Engine } from './engine.ts'
import { ClickHouseError } from './map-error.ts'

/** Statements that run side by side; the rest wait in order. */
export const CONCURRENCY = 16
/** Statements that may wait, before new ones are refused. */
const MAX_WAITING = 1000
const MAX_SESSIONS = 100

interface NamedSession {
  user: string
  connection: Connection
  busy: boolean
  timer: NodeJS.Timeout | undefined
}

export interface SessionUse {
  id: string
  user: string
  timeoutSeconds: number
  /** Refuse to make a new one. */
  mustExist: boolean
}

export interface SessionPool {
  /**
   * Runs `work` on a connection of its own, so that settings, parameters and temporary tables of one request cannot
   * reach another; with `session`, on the connection kept under that id for that user.
   * @throws ClickHouseError 202 when too many wait, 372 for an unknown session, 373 for one in use.
   */
  use<T>(session: SessionUse | undefined, work: (connection: Connection) => Promise<T>): Promise<T>
  /** Resolves when nothing runs any more; new work is refused from the call on. */
  drain(): Promise<void>
  running(): number
}

export function createSessionPool(engine: Engine): SessionPool {
  const waiting: (() => void)[] = []
  const sessions = new Map<string, NamedSession>()
  let running = 0
  let stopping = false
  let drained: (() => void) | undefined

  async function enter(): Promise<void> {
    if (stopping) throw new ClickHouseError(210, 'NETWORK_ERROR', 'The server is shutting down')
    if (running < CONCURRENCY) {
      running += 1
      return
    }
    if (waiting.length >= MAX_WAITING) {
      throw new ClickHouseError(
        202,
        'TOO_MANY_SIMULTANEOUS_QUERIES',
        `Too many queries: ${running} run, ${MAX_WAITING} wait`,
      )
    }
    await new Promise<void>((resolve) => waiting.push(resolve))
  }

  function leave(): void {
    const next = waiting.shift()
    if (next !== undefined) {
      next()
      return
    }
    running -= 1
    if (running === 0) drained?.()
  }

  function closeSession(key: string): void {
    const session = sessions.get(key)
    if (session === undefined || session.busy) return
    clearTimeout(session.timer)
    sessions.delete(key)
    engine.close(session.connection)
  }

  async function useNamed<T>(use: SessionUse, work: (connection: Connection) => Promise<T>): Promise<T> {
    // The user is part of the key: one user's session is never another's.
    const key = JSON.stringify([use.user, use.id])
    let session = sessions.get(key)
    if (session?.busy)
      throw new ClickHouseError(
        373,
        'SESSION_IS_LOCKED',
        `Session ${use.id} is locked by a concurrent client`,
      )
    if (session === undefined) {
      if (use.mustExist) throw new ClickHouseError(372, 'SESSION_NOT_FOUND', `Session ${use.id} not found`)
      if (sessions.size >= MAX_SESSIONS) {
        throw new ClickHouseError(
          202,
          'TOO_MANY_SIMULTANEOUS_QUERIES',
          `Too many sessions: ${MAX_SESSIONS} are open`,
        )
      }
      session = { user: use.user, connection: engine.connect(), busy: false, timer: undefined }
      sessions.set(key, session)
    }
    clearTimeout(session.timer)
    session.busy = true
    try {
      return await work(session.connection)
    } finally {
      session.busy = false
      session.timer = setTimeout(() => closeSession(key), use.timeoutSeconds * 1000)
    }
  }

  return {
    async use(session, work) {
      await enter()
      try {
        if (session !== undefined) return await useNamed(session, work)
        const connection = engine.connect()
        try {
          return await work(connection)
        } finally {
          engine.close(connection)
        }
      } finally {
        leave()
      }
    },
    running: () => running,
    async drain() {
      stopping = true
      if (running > 0) await new Promise<void>((resolve) => (drained = resolve))
      for (const key of [...sessions.keys()]) closeSession(key)
    },
  }
}
