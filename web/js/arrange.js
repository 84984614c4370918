/**
 * How the live screen is arranged: the output large with the person's own picture small, or both side by side.
 * @module arrange
 */

import { find } from "./ui.js";

/** @typedef {import("./settings.js").Look} Look */

/** Below this width there is one column, and nothing to choose. */
const WIDE = "(min-width: 62rem)";

/** Moves the person's own picture between the two places. */
export class Arrangement {
  /** @param {(look: Partial<Look>) => void} onLook Told what to remember. */
  constructor(onLook) {
    this.section = find("live", HTMLElement);
    this.own = find("local-figure", HTMLElement);
    this.wide = matchMedia(WIDE);
    /** @type {Look["layout"]} */
    this.layout = "large";
    this.wide.addEventListener("change", () => this.#arrange());
    for (const input of this.#inputs()) {
      input.addEventListener("change", () => {
        this.choose(/** @type {Look["layout"]} */ (input.value));
        onLook({ layout: this.layout });
      });
    }
  }

  /**
   * @param {Look["layout"]} layout
   * @returns {void}
   */
  choose(layout) {
    this.layout = layout;
    for (const input of this.#inputs()) input.checked = input.value === layout;
    this.#arrange();
  }

  #arrange() {
    const split = this.layout === "split" && this.wide.matches;
    this.section.dataset.layout = split ? "split" : "large";
    // A video goes on playing when it is moved within one task.
    if (split) find("screens", HTMLElement).prepend(this.own);
    else find("metrics", HTMLElement).after(this.own);
  }

  #inputs() {
    return /** @type {NodeListOf<HTMLInputElement>} */ (this.section.querySelectorAll("input[name=layout]"));
  }
}
