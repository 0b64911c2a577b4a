/** An error with ClickHouse's own numeric code, as a client of the HTTP interface gets it. */
export class ClickHouseError extends Error {
  readonly code: number
  constructor(code: number, name: string, message: string) {
    super(`Code: ${code}. DB::Exception: ${message} (${name})`)
    this.code = code
  }
}

const STATUS_OF = new Map<number, number>([
  [36, 400],
  [6, 400],
  [38, 400],
  [41, 400],
  [43, 400],
  [44, 400],
  [50, 404],
  [53, 400],
  [62, 400],
  [69, 400],
  [70, 400],
  [72, 400],
  [73, 400],
  [26, 400],
  [27, 400],
  [117, 400],
  [115, 404],
  [46, 404],
  [47, 404],
  [60, 404],
  [81, 404],
  [16, 404],
  [57, 500],
  [82, 500],
  [113, 413],
  [497, 403],
  [164, 403],
  [516, 403],
  [192, 403],
  [193, 403],
  [194, 401],
  [195, 403],
  [159, 408],
  [202, 503],
  [241, 500],
  [307, 500],
  [394, 500],
  [48, 501],
  [371, 400],
  [456, 400],
  [457, 400],
  [374, 400],
  [373, 409],
  [372, 404],
])

/** HTTP status for an engine's error code, as the real server's HTTP handler maps it; 500 for all others. */
export function statusOf(code: number): number {
  return STATUS_OF.get(code) ?? 500
}

/** The numeric code in an engine's message, 1001 (STD_EXCEPTION) when it has none. */
export function codeOf(error: unknown): number {
  if (error instanceof ClickHouseError) return error.code
  const match = /Code:\s*(\d+)\./.exec(error instanceof Error ? error.message : String(error))
  return match ? Number(match[1]) : 1001
}
