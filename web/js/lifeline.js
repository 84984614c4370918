/**
 * Keeps one session connected: notices when nothing comes back any more, and connects again until something does.
 * Knows nothing of pictures and pages.
 * @module lifeline
 */

import { heardOf } from "./meter.js";
import { Trouble, asTrouble } from "./trouble.js";

/** @typedef {{pc: RTCPeerConnection, remote: MediaStream}} Link */
/**
 * @typedef {object} Listener
 * @property {() => void} onDown The connection is lost; another is being made.
 * @property {(link: Link) => void} onUp Another one stands.
 * @property {(trouble: Trouble) => void} onGone There will be none.
 */

const LOOK_MS = 200;
/** While it is silent or another one is being made, every moment counts. */
const CLOSE_LOOK_MS = 50;
/** The server sends at least two pictures a second, cards included. */
const SILENT_MS = 1000;
const FIRST_MS = 15_000;
const ATTEMPT_MS = 4000;
const PAUSE_MS = 400;
/** The server keeps the session for so long. */
const PATIENCE_MS = 30_000;

/** @param {number} ms */
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Holds the connection that is in use. */
export class Lifeline {
  /**
   * @param {Link} link The first connection.
   * @param {() => Promise<Link>} again Makes another one for the same session.
   * @param {Listener} listener
   */
  constructor(link, again, listener) {
    this.link = link;
    this.again = again;
    this.listener = listener;
    this.closed = false;
    /** When the connection was lost; null while there is one. @type {number | null} */
    this.lostAt = null;
    this.#run();
  }

  /** Whether another connection is being made. */
  get down() {
    return this.lostAt !== null;
  }

  /** Hang up for good. Safe to call twice. */
  close() {
    this.closed = true;
    this.link.pc.close();
  }

  async #run() {
    await this.#listen(FIRST_MS);
    while (!this.closed) {
      if (this.lostAt === null) {
        this.lostAt = performance.now();
        this.listener.onDown();
      }
      const trouble = await this.#replace();
      if (this.closed) return;
      if (trouble === null) await this.#listen(ATTEMPT_MS);
      else if (isFinal(trouble) || this.#late()) return this.listener.onGone(trouble);
      else await wait(PAUSE_MS);
      if (this.lostAt !== null && this.#late()) return this.listener.onGone(connectionLost());
    }
  }

  /**
   * Make another connection and hang up the one before.
   * @returns {Promise<Trouble | null>} Why there is none.
   */
  async #replace() {
    try {
      const link = await this.again();
      this.link.pc.close();
      this.link = link;
      if (this.closed) link.pc.close();
      return null;
    } catch (error) {
      return asTrouble(error);
    }
  }

  /**
   * Come back when nothing is heard over the connection any more.
   * @param {number} allowed Milliseconds until something must have been heard for the first time.
   */
  async #listen(allowed) {
    const { pc } = this.link;
    let heard = 0;
    let at = performance.now();
    for (;;) {
      const anxious = this.lostAt !== null || performance.now() - at > SILENT_MS / 2;
      await wait(anxious ? CLOSE_LOOK_MS : LOOK_MS);
      if (this.closed || pc.connectionState === "failed" || pc.connectionState === "closed") return;
      const now = heardOf((await pc.getStats()).values());
      if (now > heard && !["new", "connecting"].includes(pc.connectionState)) {
        heard = now;
        at = performance.now();
        if (this.lostAt !== null && !this.closed) {
          this.lostAt = null;
          this.listener.onUp(this.link);
        }
      }
      if (performance.now() - at > (heard > 0 ? SILENT_MS : allowed)) return;
    }
  }

  #late() {
    return this.lostAt !== null && performance.now() - this.lostAt > PATIENCE_MS;
  }
}

/**
 * A refusal that another attempt will not change: the session is gone, or this page may no longer reach it.
 * @param {Trouble} trouble
 */
const isFinal = ({ code }) => ["http-404", "http-401", "http-403", "http-421", "http-422"].includes(code);

const connectionLost = () =>
  new Trouble(
    "The connection to livefake was lost.",
    "Check that the program is still running, then connect again.",
    "lost",
  );
