/**
 * The header's word about the service: ready, warming up, places free.
 * @module service
 */

import { getStatus } from "./api.js";
import { asTrouble } from "./trouble.js";
import { find, say } from "./ui.js";

/** @typedef {import("./api.js").ServiceStatus} ServiceStatus */

const LOOK_MS = 5000;
const WARMING_MS = 1000;

/** Asks for the status now and then while it runs. */
export class ServiceWatch {
  /** @param {(ready: boolean, hint: string) => void} onStatus Told after every answer. */
  constructor(onStatus) {
    this.onStatus = onStatus;
    this.running = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** @returns {void} */
  start() {
    this.stop();
    this.running = true;
    this.#look();
  }

  /**
   * Stop looking. What was seen is not shown any longer, as it would grow old.
   * @returns {void}
   */
  stop() {
    this.running = false;
    clearTimeout(this.timer);
    say(find("service", HTMLElement), "");
  }

  async #look() {
    let next = LOOK_MS;
    if (!document.hidden) {
      try {
        const status = await getStatus();
        if (!this.running) return;
        this.#describe(status);
        if (!status.ready) next = WARMING_MS;
      } catch (error) {
        this.#say("offline", asTrouble(error).problem);
      }
    }
    if (this.running) this.timer = setTimeout(() => this.#look(), next);
  }

  /** @param {ServiceStatus} status */
  #describe({ version, ready, capacity, open, engine }) {
    const free = Math.max(0, capacity - open);
    say(find("version", HTMLElement), `livefake ${version}, ${engine}`);
    if (!ready) {
      this.#say("warming", "Warming up");
      this.onStatus(false, "The networks are being loaded.");
    } else if (free === 0) {
      this.#say("full", "All places taken");
      this.onStatus(true, `All ${capacity} places are taken. Wait until a session ends.`);
    } else {
      this.#say("ready", `Ready, ${free} of ${capacity} places free`);
      this.onStatus(true, "");
    }
  }

  /**
   * @param {"ready" | "warming" | "full" | "offline"} state
   * @param {string} text
   */
  #say(state, text) {
    const service = find("service", HTMLElement);
    service.dataset.state = state;
    say(service, text);
  }
}
