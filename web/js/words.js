/**
 * What grants say, in words, and links with their QR codes: shared by the pages about consent.
 * @module words
 */

import { offerCopy } from "./copy.js";
import { build, find } from "./ui.js";

/** @typedef {import("./api.js").Link} Link */
/** @typedef {import("./api.js").Output} Output */
/** @typedef {import("./api.js").Purpose} Purpose */
/** @typedef {import("./api.js").Scope} Scope */

/** @type {Readonly<Record<Purpose, [string, string]>>} */
export const PURPOSES = Object.freeze({
  train: ["Learn your face", "A network on this machine learns to draw it."],
  wear: ["Appear with your face", "Somebody else can be seen with it."],
});

/** @type {Readonly<Record<Output, [string, string]>>} */
export const OUTPUTS = Object.freeze({
  live: ["Live", "To viewers, while it happens."],
  recording: ["Recordings", "A live session that is kept."],
  "virtual-camera": ["Virtual camera", "To other programs on that computer, such as a call."],
  file: ["Video files", "Videos that are swapped afterwards."],
});

/**
 * A day and a time, as the person's own browser writes them.
 * @param {number} seconds Since 1970.
 * @returns {string}
 */
export const when = (seconds) =>
  new Date(seconds * 1000).toLocaleString("en", { dateStyle: "long", timeStyle: "short" });

/**
 * @param {number} days
 * @returns {string}
 */
export const forDays = (days) => (days === 1 ? "1 day" : `${days} days`);

/**
 * @param {readonly Output[]} outputs
 * @returns {string}
 */
export const places = (outputs) => outputs.map((output) => OUTPUTS[output][0].toLowerCase()).join(", ") || "nowhere";

/**
 * Check boxes for a choice of things, unticked: what nobody ticked nobody allowed.
 * @template {string} T
 * @param {HTMLElement} box
 * @param {string} name
 * @param {readonly T[]} offered
 * @param {Readonly<Record<T, [string, string]>>} words
 * @param {readonly T[]} [ticked]
 * @returns {void}
 */
export function fillTicks(box, name, offered, words, ticked = []) {
  box.replaceChildren(
    ...offered.map((one) => {
      const [title, about] = words[one];
      return build(
        "label",
        { class: "allow" },
        build("input", { type: "checkbox", name, value: one, checked: ticked.includes(one) }),
        build("span", {}, build("strong", {}, title), build("small", {}, about)),
      );
    }),
  );
}

/**
 * What is ticked among {@link fillTicks}.
 * @template {string} T
 * @param {HTMLElement} box
 * @param {readonly T[]} offered
 * @returns {T[]}
 */
export function readTicks(box, offered) {
  const ticked = [...box.querySelectorAll("input")].filter(({ checked }) => checked).map(({ value }) => value);
  return offered.filter((one) => ticked.includes(one));
}

/**
 * Show a secret link with its QR code and a button that copies it.
 * @param {string} id Of the elements: ID-qr, ID-url, ID-copy, ID-copied.
 * @param {Link} link
 * @returns {void}
 */
export function showLink(id, { url, qr }) {
  const picture = find(`${id}-qr`, HTMLImageElement);
  const field = find(`${id}-url`, HTMLInputElement);
  const button = find(`${id}-copy`, HTMLButtonElement);
  picture.src = qr;
  field.value = url;
  offerCopy(field, button, find(`${id}-copied`, HTMLElement));
}
