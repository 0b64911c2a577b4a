/** An error with ClickHouse's own numeric code, as a client of the HTTP interface gets it. */
export class ClickHouseError extends Error {
  readonly code: number
  constructor(code: number, name: string, message: string) {
    super(`Code: ${code}. DB::Exception: ${message} (${name})`)
    this.code = code
  }
}

// Codes by status, after exceptionCodeToHTTPStatus.cpp of the real server; the rest is 500.
const CODES: Record<number, number[]> = {
  400: [
    6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675,
    676,
  ],
  401: [194],
  403: [192, 193, 497, 512, 516],
  404: [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511],
  408: [159],
  411: [381],
  413: [229],
  415: [779],
  501: [48],
  503: [76, 209, 439],
}
const STATUS_OF = new Map(
  Object.entries(CODES).flatMap(([status, codes]) => codes.map((code) => [code, Number(status)])),
)

/** HTTP status for an engine's error code. */
export function statusOf(code: number): number {
  return STATUS_OF.get(code) ?? 500
}

/** The numeric code in an engine's message, 1001 (STD_EXCEPTION) when it has none. */
export function codeOf(error: unknown): number {
  if (error instanceof ClickHouseError) return error.code
  const match = /Code:\s*(\d+)\./.exec(error instanceof Error ? error.message : String(error))
  return match ? Number(match[1]) : 1001
}
