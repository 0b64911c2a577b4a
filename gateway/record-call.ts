import type { AuditEntry, AuditLog } from '../postgres/audit-log.ts'

/** Calls beyond a limit are written down at most this often for one caller and route. */
const GATHER_MS = 1_000

/**
 * Writes calls to the audit log. Who is beyond a limit is turned away without a row of their own for each call, or a flood
 * would be kept for ever: the first is written at once, the following ones as one row with their number.
 */
export function createCallRecorder(audit: AuditLog): { record(entry: AuditEntry): Promise<void> } {
  const gathered = new Map<string, { entry: AuditEntry; count: number }>()
  const close = (key: string) => {
    const { entry, count } = gathered.get(key)!
    gathered.delete(key)
    // Nobody waits for this row; if it fails, the first one stands.
    if (count > 0) audit.append({ ...entry, outcome: `${entry.outcome} x${count}` }).catch(() => {})
  }
  return {
    async record(entry) {
      if (!entry.outcome.endsWith(' rate_limited')) return await audit.append(entry)
      const key = `${entry.actor} ${entry.action}`
      const open = gathered.get(key)
      if (open) {
        open.count += 1
        return
      }
      gathered.set(key, { entry, count: 0 })
      setTimeout(close, GATHER_MS, key)
      await audit.append(entry)
    },
  }
}
