import { EbbError } from '../../runtime/errors.ts'

export interface RevokedTokens {
  /** Keeps the lowest offset at which a token was revoked. @throws EbbError `too_many_revocations` */
  add(token: Buffer, offset: number): void
  /** From this offset on the token may be stored again: its erasure was cancelled in time. */
  withdraw(token: Buffer, offset: number): void
  /**
   * Was the token revoked, and not given back, at offsets below `rev`? The answer for a given `rev` never changes: a cut
   * can be repeated.
   */
  isRevoked(token: Buffer, rev: number): boolean
  size(): number
}

/**
 * An open-addressing table: 16 bytes of token and 8 of offset a slot, at most half full. Tokens are uniform, so that
 * their first bytes serve as the hash. The lowest offset stays, since a later revocation of the same token must not
 * change what an older `rev` filters; the topic's compaction lag of 48 h keeps it readable for as long as events live.
 */
export function createRevokedTokens(maxTokens: number): RevokedTokens {
  let slots = 1024
  let tokens = Buffer.alloc(slots * 16)
  let offsets = new Float64Array(slots).fill(-1)
  let used = 0
  // Offsets by turns: given back, revoked again, given back … Few people cancel.
  const turns = new Map<string, number[]>()

  const find = (token: Buffer): number => {
    let slot = token.readUInt32LE(0) & (slots - 1)
    while (offsets[slot]! >= 0 && token.compare(tokens, slot * 16, slot * 16 + 16) !== 0)
      slot = (slot + 1) & (slots - 1)
    return slot
  }
  const grow = () => {
    const old = { slots, tokens, offsets }
    slots *= 2
    tokens = Buffer.alloc(slots * 16)
    offsets = new Float64Array(slots).fill(-1)
    for (let slot = 0; slot < old.slots; slot++) {
      if (old.offsets[slot]! < 0) continue
      const token = old.tokens.subarray(slot * 16, slot * 16 + 16)
      const target = find(token)
      token.copy(tokens, target * 16)
      offsets[target] = old.offsets[slot]!
    }
  }
  return {
    add(token, offset) {
      let slot = find(token)
      const known = offsets[slot]!
      if (known >= 0) {
        offsets[slot] = Math.min(known, offset)
        turn(turns.get(token.toString('latin1')), offset, 0)
        return
      }
      if (used >= maxTokens)
        throw new EbbError(
          'too_many_revocations',
          `more than ${maxTokens} revoked tokens: delete expired ones`,
        )
      if (used * 2 >= slots) {
        grow()
        slot = find(token)
      }
      token.copy(tokens, slot * 16)
      offsets[slot] = offset
      used++
    },
    withdraw(token, offset) {
      if ((offsets[find(token)] as number) < 0) return
      const key = token.toString('latin1')
      const known = turns.get(key) ?? []
      turn(known, offset, 1)
      turns.set(key, known)
    },
    isRevoked(token, rev) {
      if (used === 0 || token.length !== 16) return false
      const offset = offsets[find(token)]!
      if (offset < 0 || offset >= rev) return false
      if (turns.size === 0) return true
      const passed = (turns.get(token.toString('latin1')) ?? []).filter((at) => at < rev).length
      return passed % 2 === 0
    },
    size: () => used,
  }
}

/** Notes a change of mind, unless the last one was the same or it comes from a second reading of the topic. */
function turn(turns: number[] | undefined, offset: number, parity: 0 | 1): void {
  if (!turns || (turns.length + 1) % 2 !== parity || offset <= (turns.at(-1) ?? -1)) return
  turns.push(offset)
}
