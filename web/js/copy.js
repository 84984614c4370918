/**
 * Texts to take over into other programs: a field that cannot be changed, and a button that copies it.
 * @module copy
 */

import { build, icon, say } from "./ui.js";

const COPIED_MS = 2000;

/**
 * Let a button copy what a field holds.
 * @param {HTMLInputElement} field
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} text The button's words, a live region; they come back after a moment.
 * @returns {void}
 */
export function offerCopy(field, button, text) {
  const usual = text.textContent ?? "";
  field.onfocus = () => field.select();
  button.onclick = async () => {
    say(text, (await copied(field)) ? "Copied" : "Press Ctrl+C");
    setTimeout(() => say(text, usual), COPIED_MS);
  };
}

/**
 * A field with its button.
 * @param {string} id Of the field.
 * @param {string} name What is copied, for screen readers.
 * @param {string} [value]
 * @returns {HTMLElement}
 */
export function copyRow(id, name, value = "") {
  const field = build("input", { type: "text", id, value, readonly: true, spellcheck: "false", "aria-label": name });
  const text = build("span", { role: "status" }, "Copy");
  const button = build("button", { type: "button", class: "button small", title: `Copy: ${name}` }, icon("copy"), text);
  offerCopy(field, button, text);
  return build("div", { class: "copy" }, field, button);
}

/**
 * @param {HTMLInputElement} field
 * @returns {Promise<boolean>} false: it is selected, and the person has to copy it.
 */
async function copied(field) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    // Without HTTPS there is no clipboard; the older way copies what is selected.
    return document.execCommand("copy");
  }
}
