import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { EbbError } from '../runtime/errors.ts'
import { isAlive } from './process-table.ts'

// Below the ranges that kernels take outgoing ports from (Linux 32768, macOS 49152 and up): a port chosen there
// could be taken, while its server is down for a restart, by any client socket, even by the client that is
// knocking on it (TCP connects to itself on loopback).
const FIRST = 15_000
const LAST = 31_999
const TRIES = 500

export interface PortReservations {
  /**
   * A port that nothing listens on, kept from every other start on this machine until `release`; `preferred` 0 means
   * any.
   */
  take(preferred: number): Promise<number>
  release(): Promise<void>
}

/**
 * @param mode `preferred` takes the port that was asked for when it is free, `free` never does.
 * Two starts at the same moment cannot choose the same port: each port is also claimed by a file with our pid.
 */
export function reservePorts(mode: 'preferred' | 'free'): PortReservations {
  const folder = join(tmpdir(), `ebb-ports-${userInfo().uid}`)
  const claims: string[] = []

  const tryTake = async (port: number): Promise<boolean> => {
    const claim = join(folder, String(port))
    if (!(await claimFile(claim))) return false
    if (await canListen(port)) {
      claims.push(claim)
      return true
    }
    await rm(claim, { force: true })
    return false
  }

  return {
    async take(preferred) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      if (mode === 'preferred' && preferred > 0 && (await tryTake(preferred))) return preferred
      for (let attempt = 0; attempt < TRIES; attempt += 1) {
        const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1))
        if (await tryTake(port)) return port
      }
      throw new EbbError('no_free_port', `no free port found between ${FIRST} and ${LAST}`)
    },
    async release() {
      await Promise.all(claims.splice(0).map((claim) => rm(claim, { force: true })))
    },
  }
}

async function claimFile(path: string): Promise<boolean> {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' })
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = Number(await readFile(path, 'utf8').catch(() => '0'))
    if (holder === 0 || isAlive(holder)) return false
    await rm(path, { force: true })
  }
  return false
}

async function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
