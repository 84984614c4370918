/**
 * One kind of error for everything a person should read: what happened, and what to do next.
 * @module trouble
 */

/** An error with a text for the person in front of the screen. */
export class Trouble extends Error {
  /**
   * @param {string} problem One sentence: what happened.
   * @param {string} [remedy] What to do next; may be empty.
   * @param {string} [code] Short machine-readable kind, such as "camera-denied" or "http-503".
   */
  constructor(problem, remedy = "", code = "unexpected") {
    super(problem);
    this.name = "Trouble";
    this.problem = problem;
    this.remedy = remedy;
    this.code = code;
  }
}

/**
 * Give any thrown value a readable text.
 * @param {unknown} thrown
 * @returns {Trouble}
 */
export function asTrouble(thrown) {
  if (thrown instanceof Trouble) return thrown;
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return new Trouble("Something unexpected went wrong in the browser.", detail);
}
