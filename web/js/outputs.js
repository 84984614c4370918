/**
 * The ways out of a session: addresses to take over, the steps for the person's OBS, and outputs that come and go.
 * @module outputs
 */

import { addOutput, getOutputs, removeOutput } from "./api.js";
import { copyRow } from "./copy.js";
import { obsSteps } from "./obs.js";
import { asTrouble } from "./trouble.js";
import { build, find, icon, say } from "./ui.js";

/** @typedef {import("./api.js").OutputEntry} OutputEntry */
/** @typedef {import("./api.js").OutputKind} OutputKind */
/** @typedef {import("./api.js").SessionAnswer} SessionAnswer */
/** @typedef {import("./settings.js").Look} Look */

const POLL_MS = 1000;

/** @type {Readonly<Record<OutputKind, string>>} */
const KINDS = Object.freeze({ push: "Stream", "virtual-camera": "Virtual camera", recording: "Recording" });

/** @type {Readonly<Record<OutputEntry["state"], string>>} */
const STATES = Object.freeze({
  starting: "Starting",
  running: "Running",
  waiting: "Starts again in a moment",
  stopped: "Ended",
});

/** @type {ReadonlyArray<[string, keyof SessionAnswer, string]>} */
const ADDRESSES = [
  ["view-url", "view_url", "Page with the picture alone"],
  ["whep-url", "whep_url", "WHEP, for players and other services"],
  ["feed-url", "feed_url", "Transport stream, for VLC, ffplay and OBS"],
];

/** The panel on the live screen. */
export class OutputsPanel {
  /** @param {(look: Partial<Look>) => void} onLook Told what to remember. */
  constructor(onLook) {
    this.panel = find("outputs", HTMLDetailsElement);
    this.obs = find("obs", HTMLSelectElement);
    this.list = find("output-list", HTMLElement);
    this.target = find("push-target", HTMLInputElement);
    /** @type {SessionAnswer | null} */
    this.session = null;
    this.size = { width: 1280, height: 720 };
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;

    find("addresses", HTMLElement).replaceChildren(
      ...ADDRESSES.map(([id, , name]) =>
        build("div", { class: "address" }, build("label", { for: id }, name), copyRow(id, name)),
      ),
    );
    this.panel.addEventListener("toggle", () => {
      onLook({ outputs: this.panel.open });
      this.#poll();
    });
    this.obs.addEventListener("change", () => {
      onLook({ obs: /** @type {Look["obs"]} */ (this.obs.value) });
      this.#steps();
    });
    find("push-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#push();
    });
    find("camera-add", HTMLButtonElement).addEventListener("click", () => this.#add("virtual-camera", ""));
  }

  /**
   * Before a session: nothing to show yet.
   * @param {Look} look
   * @returns {void}
   */
  begin(look) {
    this.end();
    this.panel.open = look.outputs;
    this.obs.value = look.obs;
    this.target.value = "";
    this.#error("");
    this.#show(null);
  }

  /**
   * @param {SessionAnswer} session
   * @returns {void}
   */
  opened(session) {
    this.session = session;
    this.#show(session);
    this.#poll();
  }

  /**
   * OBS needs to know how large the picture is.
   * @param {number} width
   * @param {number} height
   * @returns {void}
   */
  resize(width, height) {
    if (width === 0 || (width === this.size.width && height === this.size.height)) return;
    this.size = { width, height };
    this.#steps();
  }

  /**
   * The session is over, and its outputs with it.
   * @returns {void}
   */
  end() {
    clearTimeout(this.timer);
    this.session = null;
    this.#fill([]);
    this.#enable();
  }

  /** @param {SessionAnswer | null} session */
  #show(session) {
    for (const [id, key] of ADDRESSES) find(id, HTMLInputElement).value = String(session?.[key] ?? "");
    const kinds = session?.outputs ?? [];
    find("push-form", HTMLElement).hidden = !kinds.includes("push");
    find("camera-add", HTMLElement).hidden = !kinds.includes("virtual-camera");
    find("send-on", HTMLElement).hidden = !kinds.includes("push") && !kinds.includes("virtual-camera");
    this.#steps();
    this.#enable();
  }

  #steps() {
    const { view_url = "", feed_url = "" } = this.session ?? {};
    const { steps, about } = obsSteps(/** @type {Look["obs"]} */ (this.obs.value), view_url, feed_url, this.size);
    find("obs-steps", HTMLElement).replaceChildren(
      ...steps.map(({ text, field }) =>
        field ? build("li", {}, text, copyRow(field.id, field.name, field.value)) : build("li", {}, text),
      ),
    );
    say(find("obs-about", HTMLElement), about);
    this.#enable();
  }

  #enable() {
    for (const button of this.panel.querySelectorAll("button")) button.disabled = this.session === null;
  }

  async #push() {
    const target = this.target.value.trim();
    if (target === "") {
      this.#error("Please write the address to stream to, such as rtmp://host/app/key or srt://host:port.");
      this.target.focus();
    } else if (await this.#add("push", target)) {
      // It holds a key, which nobody should read over a shoulder.
      this.target.value = "";
    }
  }

  /**
   * @param {OutputKind} kind
   * @param {string} target
   * @returns {Promise<boolean>} Was it added?
   */
  async #add(kind, target) {
    const { session } = this;
    if (!session) return false;
    this.#error("");
    try {
      await addOutput(session.id, kind, target);
    } catch (error) {
      if (this.session === session) this.#error(sentence(error));
      return false;
    }
    await this.#poll();
    return true;
  }

  /** @param {string} output */
  async #remove(output) {
    const { session } = this;
    if (!session) return;
    this.#error("");
    try {
      await removeOutput(session.id, output);
    } catch (error) {
      if (this.session === session) this.#error(sentence(error));
    }
    await this.#poll();
  }

  /** Look now, and once a second while the panel is open. */
  async #poll() {
    clearTimeout(this.timer);
    const { session } = this;
    if (!session || !this.panel.open || session.outputs.length === 0) return;
    try {
      const entries = await getOutputs(session.id);
      if (this.session === session) this.#fill(entries);
    } catch {
      // Whoever watches the session tells the person that the service is gone.
    }
    if (this.session !== session) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#poll(), POLL_MS);
  }

  /** @param {OutputEntry[]} entries */
  #fill(entries) {
    for (const [id, row] of this.rows) {
      if (entries.some((entry) => entry.id === id)) continue;
      row.element.remove();
      this.rows.delete(id);
    }
    for (const entry of entries) {
      let row = this.rows.get(entry.id);
      if (!row) {
        row = new Row(entry, () => this.#remove(entry.id));
        this.rows.set(entry.id, row);
        this.list.append(row.element);
      }
      row.show(entry);
    }
    this.list.hidden = this.rows.size === 0;
  }

  /** @param {string} text */
  #error(text) {
    const line = find("output-error", HTMLElement);
    line.hidden = text === "";
    say(line, text);
  }
}

/** One output in the list; kept as it is while its numbers change, so that the keyboard stays where it was. */
class Row {
  /**
   * @param {OutputEntry} entry
   * @param {() => void} onRemove
   */
  constructor({ kind }, onRemove) {
    this.place = build("span", { class: "output-place" });
    this.state = build("span", { class: "output-state" });
    this.numbers = build("span", { class: "output-numbers" });
    this.problem = build("p", { class: "output-problem" });
    const remove = build("button", { type: "button", class: "button quiet small", "aria-label": `End: ${KINDS[kind]}` });
    remove.append(icon("close"));
    remove.addEventListener("click", onRemove);
    this.element = build(
      "li",
      { class: "output" },
      build("div", { class: "output-head" }, build("strong", {}, KINDS[kind]), this.place, remove),
      build("p", { class: "output-line" }, this.state, " ", this.numbers),
      this.problem,
    );
  }

  /**
   * @param {OutputEntry} entry
   * @returns {void}
   */
  show(entry) {
    this.element.dataset.state = entry.state;
    say(this.place, entry.place);
    say(this.state, STATES[entry.state]);
    say(this.numbers, numbers(entry));
    say(this.problem, entry.problem);
    this.problem.hidden = entry.problem === "";
  }
}

/**
 * @param {OutputEntry} entry
 * @returns {string}
 */
function numbers({ state, fps, bitrate, delay_ms, frames, dropped, restarts }) {
  const parts = [];
  if (state === "running") {
    parts.push(`${fps.toFixed(0)} fps`);
    if (bitrate > 0) parts.push(`${(bitrate / 1e6).toFixed(1)} Mb/s`);
    if (delay_ms > 0) parts.push(`${delay_ms.toFixed(0)} ms`);
  }
  parts.push(`${frames.toLocaleString("en")} sent`);
  if (dropped > 0) parts.push(`${dropped.toLocaleString("en")} dropped`);
  if (restarts > 0) parts.push(`${restarts} ${restarts === 1 ? "restart" : "restarts"}`);
  return parts.join(" · ");
}

/**
 * @param {unknown} error
 * @returns {string}
 */
function sentence(error) {
  const { problem, remedy } = asTrouble(error);
  return `${problem} ${remedy}`.trim();
}
