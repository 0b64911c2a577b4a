/**
 * An error that a person or a program will meet. `code` is from a closed list of the throwing module;
 * `message` never holds personal data or secrets, since it reaches logs and workflow histories.
 */
export class EbbError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EbbError'
    this.code = code
  }
}
