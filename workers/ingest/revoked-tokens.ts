import { EbbError } from '../../runtime/errors.ts'

export interface RevokedTokens {
  /** Keeps the lowest offset at which a token was revoked. @throws EbbError `too_many_revocations` */
  add(token: Buffer, offset: number): void
  /** Was the token revoked at an offset below `rev`? The answer for a given `rev` never changes: a cut can be repeated. */
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
    isRevoked(token, rev) {
      if (used === 0 || token.length !== 16) return false
      const offset = offsets[find(token)]!
      return offset >= 0 && offset < rev
    },
    size: () => used,
  }
}
