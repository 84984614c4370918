/**
 * The group of portraits to choose a face from: native radio buttons, so arrow keys work by themselves.
 * @module personas
 */

import { build, icon } from "./ui.js";

/** @typedef {import("./api.js").Persona} Persona */

/** Portraits in a row: fewer leave room at the end instead of growing, more are split over two rows. */
const ROW = Object.freeze({ least: 4, most: 6 });

/** A radio group of portraits. */
export class PersonaPicker {
  /**
   * @param {HTMLElement} container
   * @param {string} name Name of the radio group, unique in the page.
   * @param {(persona: Persona) => void} onChoose Called when the person picks another face.
   */
  constructor(container, name, onChoose) {
    this.container = container;
    this.name = name;
    /** @type {Persona[]} */
    this.personas = [];
    container.addEventListener("change", () => {
      const chosen = this.chosen;
      if (chosen) onChoose(chosen);
    });
  }

  /**
   * @param {Persona[]} personas
   * @returns {void}
   */
  fill(personas) {
    this.personas = personas;
    const columns = personas.length > ROW.most ? Math.ceil(personas.length / 2) : personas.length;
    this.container.style.setProperty("--columns", String(Math.max(columns, ROW.least)));
    this.container.replaceChildren(...personas.map((persona) => this.card(persona)));
    this.container.removeAttribute("aria-busy");
  }

  /** @returns {Persona | undefined} */
  get chosen() {
    const input = this.container.querySelector("input:checked");
    return input instanceof HTMLInputElement ? this.personas.find(({ id }) => id === input.value) : undefined;
  }

  /**
   * Mark a face as chosen; an unknown id leaves the choice as it is.
   * @param {string} id
   * @returns {void}
   */
  choose(id) {
    for (const input of this.container.querySelectorAll("input")) {
      if (input.value === id) input.checked = true;
    }
  }

  /**
   * @param {Persona} persona
   * @returns {HTMLLabelElement}
   */
  card(persona) {
    const portrait = build("img", { src: persona.portrait, alt: "", width: "256", height: "256", draggable: "false" });
    const mark = build("span", { class: "persona-mark" }, icon("check"));
    return build(
      "label",
      { class: "persona", title: persona.description },
      build("input", { type: "radio", name: this.name, value: persona.id }),
      build("span", { class: "persona-portrait" }, portrait, mark),
      build("span", { class: "persona-name" }, persona.title),
    );
  }
}
