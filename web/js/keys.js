/**
 * The panel about stream keys on the first screen: OBS and other programs publish a camera with them.
 * @module keys
 */

import { getKeys, makeKey, revokeKey } from "./api.js";
import { asTrouble } from "./trouble.js";
import { build, find, say } from "./ui.js";

/** @typedef {import("./api.js").KeyEntry} KeyEntry */
/** @typedef {import("./api.js").KeyOrder} KeyOrder */

const LOOK_MS = 3000;
const COPIED_MS = 2000;

/** A list that is fetched while it is open, and the key that was just made. */
export class KeysPanel {
  /** @param {() => Omit<KeyOrder, "minutes"> | null} agreed What was chosen; null where the notice is not agreed to. */
  constructor(agreed) {
    this.agreed = agreed;
    this.panel = find("keys", HTMLDetailsElement);
    this.list = find("key-list", HTMLElement);
    this.minutes = find("key-minutes", HTMLSelectElement);
    this.button = find("key-make", HTMLButtonElement);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** The id of the key that is shown. */
    this.shown = "";
    this.panel.addEventListener("toggle", () => (this.panel.open ? this.look() : clearTimeout(this.timer)));
    this.button.addEventListener("click", () => this.make());
    for (const name of ["key-server", "key-secret"]) this.#copies(name);
  }

  /** Fetch the list now, and again while the panel is open. */
  async look() {
    clearTimeout(this.timer);
    try {
      this.show(await getKeys());
    } catch (error) {
      this.list.replaceChildren(build("li", { class: "hint" }, asTrouble(error).problem));
    }
    if (this.panel.open) this.timer = setTimeout(() => this.look(), LOOK_MS);
  }

  /** @param {KeyEntry[]} keys */
  show(keys) {
    const none = build("li", { class: "hint" }, "There is no stream key.");
    this.list.replaceChildren(...(keys.length > 0 ? keys.map((key) => this.#row(key)) : [none]));
    if (this.shown && !keys.some(({ id }) => id === this.shown)) this.#forget();
  }

  /** Make a key from what is chosen on the page. */
  async make() {
    const order = this.agreed();
    if (!order) return;
    this.#explain("");
    this.button.disabled = true;
    try {
      const made = await makeKey({ ...order, minutes: Number(this.minutes.value) });
      find("key-server", HTMLInputElement).value = made.url;
      find("key-secret", HTMLInputElement).value = made.key;
      this.shown = made.entry.id;
      const box = find("key-made", HTMLElement);
      box.hidden = false;
      box.scrollIntoView({ block: "nearest" });
      await this.look();
    } catch (error) {
      const { problem, remedy } = asTrouble(error);
      this.#explain(`${problem} ${remedy}`.trim());
    }
    this.button.disabled = false;
  }

  /** @param {KeyEntry} key */
  #row(key) {
    const until = new Date(Date.now() + key.left_s * 1000).toLocaleTimeString("en", { timeStyle: "short" });
    const revoke = build("button", { type: "button", class: "button small" }, "Revoke");
    revoke.addEventListener("click", async () => {
      revoke.disabled = true;
      try {
        await revokeKey(key.id);
      } catch (error) {
        this.#explain(asTrouble(error).problem);
      }
      await this.look();
    });
    const watch = key.view_url
      ? [build("a", { href: key.view_url, target: "_blank", rel: "noopener" }, "Viewer link")]
      : [];
    return build(
      "li",
      { class: "grant" },
      build("strong", {}, key.persona),
      build("span", { class: "grant-state", "data-state": key.session ? "holds" : "waits" }, key.session ? "Live" : "Not used"),
      ...watch,
      build("small", {}, `until ${until}`),
      revoke,
      ...key.problems.map((problem) => build("small", { class: "warn-hint" }, problem)),
    );
  }

  /** @param {string} text Empty for nothing. */
  #explain(text) {
    const error = find("key-error", HTMLElement);
    say(error, text);
    error.hidden = text === "";
  }

  #forget() {
    this.shown = "";
    find("key-made", HTMLElement).hidden = true;
    find("key-secret", HTMLInputElement).value = "";
  }

  /** @param {string} name Of a field with a button beside it. */
  #copies(name) {
    const field = find(name, HTMLInputElement);
    const button = find(`${name}-copy`, HTMLButtonElement);
    field.addEventListener("focus", () => field.select());
    button.addEventListener("click", async () => {
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
      } catch {
        // Without HTTPS there is no clipboard; the older way copies what is selected.
        document.execCommand("copy");
      }
      say(button, "Copied");
      setTimeout(() => say(button, "Copy"), COPIED_MS);
    });
  }
}
