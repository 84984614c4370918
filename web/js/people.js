/**
 * The panel about people on the first screen: who gave a grant, and inviting somebody to.
 * @module people
 */

import { getGrants, invite } from "./api.js";
import { asTrouble } from "./trouble.js";
import { build, find, say } from "./ui.js";
import { OUTPUTS, PURPOSES, fillTicks, readTicks, showLink } from "./words.js";

/** @typedef {import("./api.js").GrantEntry} GrantEntry */
/** @typedef {import("./api.js").Output} Output */
/** @typedef {import("./api.js").Purpose} Purpose */

const LOOK_MS = 5000;
const ALL_PURPOSES = /** @type {Purpose[]} */ (Object.keys(PURPOSES));
const ALL_OUTPUTS = /** @type {Output[]} */ (Object.keys(OUTPUTS));

/** @type {Readonly<Record<GrantEntry["state"], string>>} */
const STATES = Object.freeze({
  holds: "Holds",
  revoked: "Taken back",
  expired: "Run out",
  void: "Does not hold",
  damaged: "Damaged",
});

/** @type {Readonly<Record<Purpose, [string, string]>>} */
const ASK_PURPOSES = Object.freeze({
  train: ["Learn the face", "A network here learns to draw it."],
  wear: ["Wear the face", "Somebody here appears with it."],
});

/** A list that is fetched while it is open, and what an invitation asks for. */
export class PeoplePanel {
  constructor() {
    this.panel = find("people", HTMLDetailsElement);
    this.list = find("grants", HTMLElement);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    fillTicks(find("ask-purposes", HTMLElement), "ask-purpose", ALL_PURPOSES, ASK_PURPOSES, ALL_PURPOSES);
    fillTicks(find("ask-outputs", HTMLElement), "ask-output", ALL_OUTPUTS, OUTPUTS, ["live"]);
    this.panel.addEventListener("toggle", () => (this.panel.open ? this.look() : clearTimeout(this.timer)));
    find("invite", HTMLButtonElement).addEventListener("click", () => this.invite());
    // Inside the form of the first screen, where Enter would mean going live.
    find("ask-days", HTMLInputElement).addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.invite();
    });
  }

  /** Fetch the list now, and again while the panel is open. */
  async look() {
    clearTimeout(this.timer);
    try {
      this.show(await getGrants());
    } catch (error) {
      this.list.replaceChildren(build("li", { class: "hint" }, asTrouble(error).problem));
    }
    if (this.panel.open) this.timer = setTimeout(() => this.look(), LOOK_MS);
  }

  /** @param {GrantEntry[]} grants */
  show(grants) {
    const none = build("li", { class: "hint" }, "Nobody has given a grant here yet.");
    const rows = grants.map((grant) => {
      const until = grant.until === null ? "" : new Date(grant.until * 1000).toLocaleDateString("en", { dateStyle: "medium" });
      return build(
        "li",
        { class: "grant", title: grant.reason },
        build("strong", {}, grant.subject || grant.id),
        build("span", { class: "grant-state", "data-state": grant.state }, STATES[grant.state]),
        build("small", {}, until && `${grant.state === "holds" ? "until" : "was until"} ${until}`),
      );
    });
    this.list.replaceChildren(...(rows.length > 0 ? rows : [none]));
  }

  /** Make a link. */
  async invite() {
    const button = find("invite", HTMLButtonElement);
    const error = find("invite-error", HTMLElement);
    const days = find("ask-days", HTMLInputElement);
    error.hidden = true;
    button.disabled = true;
    try {
      const made = await invite({
        purposes: readTicks(find("ask-purposes", HTMLElement), ALL_PURPOSES),
        outputs: readTicks(find("ask-outputs", HTMLElement), ALL_OUTPUTS),
        days: Number(days.value),
      });
      showLink("invitation", made.link);
      const until = new Date(made.until * 1000).toLocaleTimeString("en", { timeStyle: "short" });
      say(find("invitation-until", HTMLElement), `Good until ${until}, for one person. It is shown only now.`);
      const { hostname, protocol } = new URL(made.link.url);
      const here = hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
      const reach = here
        ? "It opens on this computer only. For a phone, start livefake so that other devices reach it over HTTPS."
        : "It opens on devices that reach this address, but their cameras work only over HTTPS, which this is not.";
      const hint = find("invitation-reach", HTMLElement);
      hint.hidden = !here && protocol === "https:";
      say(hint, reach);
      const box = find("invitation", HTMLElement);
      box.hidden = false;
      box.scrollIntoView({ block: "nearest" });
    } catch (thrown) {
      const trouble = asTrouble(thrown);
      say(error, `${trouble.problem} ${trouble.remedy}`.trim());
      error.hidden = false;
    }
    button.disabled = false;
  }
}
