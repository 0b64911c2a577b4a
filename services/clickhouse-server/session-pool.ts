import type { Connection, Engine } from './engine.ts'
import { limitConcurrency } from './limit-concurrency.ts'
import { ClickHouseError } from './map-error.ts'

/** Statements that run side by side. The process has eight native threads more, for what must not wait (KILL). */
export const CONCURRENCY = 16
const MAX_WAITING = 1000
const MAX_SESSIONS = 100

interface NamedSession {
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
   * @throws ClickHouseError 202 when too many wait, 210 while stopping, 372 for an unknown session, 373 for one in use.
   */
  use<T>(session: SessionUse | undefined, work: (connection: Connection) => Promise<T>): Promise<T>
  /** The same without waiting: for statements that stop others. */
  useAtOnce<T>(work: (connection: Connection) => Promise<T>): Promise<T>
  /** Resolves when nothing runs any more; new work is refused from the call on. */
  drain(): Promise<void>
}

export function createSessionPool(engine: Engine): SessionPool {
  const limit = limitConcurrency(CONCURRENCY, MAX_WAITING)
  const sessions = createNamedSessions(engine)
  let stopping = false

  async function useFresh<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = engine.connect()
    try {
      return await work(connection)
    } finally {
      engine.close(connection)
    }
  }

  return {
    use(session, work) {
      if (stopping)
        return Promise.reject(new ClickHouseError(210, 'NETWORK_ERROR', 'The server is shutting down'))
      return limit.run(() => (session === undefined ? useFresh(work) : sessions.use(session, work)))
    },
    useAtOnce: useFresh,
    async drain() {
      stopping = true
      await limit.idle()
      sessions.closeAll()
    },
  }
}

interface NamedSessions {
  /** @throws ClickHouseError 202 when too many are open, 372 for an unknown session, 373 for one in use. */
  use<T>(session: SessionUse, work: (connection: Connection) => Promise<T>): Promise<T>
  closeAll(): void
}

function createNamedSessions(engine: Engine): NamedSessions {
  const sessions = new Map<string, NamedSession>()

  function closeSession(key: string): void {
    const session = sessions.get(key)
    if (session === undefined || session.busy) return
    clearTimeout(session.timer)
    sessions.delete(key)
    engine.close(session.connection)
  }

  function takeSession(key: string, use: SessionUse): NamedSession {
    const found = sessions.get(key)
    if (found?.busy)
      throw new ClickHouseError(
        373,
        'SESSION_IS_LOCKED',
        `Session ${use.id} is locked by a concurrent client`,
      )
    if (found !== undefined) return found
    if (use.mustExist) throw new ClickHouseError(372, 'SESSION_NOT_FOUND', `Session ${use.id} not found`)
    if (sessions.size >= MAX_SESSIONS) {
      throw new ClickHouseError(
        202,
        'TOO_MANY_SIMULTANEOUS_QUERIES',
        `Too many sessions: ${MAX_SESSIONS} are open`,
      )
    }
    const session = { connection: engine.connect(), busy: false, timer: undefined }
    sessions.set(key, session)
    return session
  }

  async function use<T>(wanted: SessionUse, work: (connection: Connection) => Promise<T>): Promise<T> {
    // The user is part of the key: one user's session is never another's.
    const key = JSON.stringify([wanted.user, wanted.id])
    const session = takeSession(key, wanted)
    clearTimeout(session.timer)
    session.busy = true
    try {
      return await work(session.connection)
    } finally {
      session.busy = false
      session.timer = setTimeout(() => closeSession(key), wanted.timeoutSeconds * 1000)
    }
  }

  return {
    use,
    closeAll() {
      for (const key of [...sessions.keys()]) closeSession(key)
    },
  }
}
