/**
 * The page of a person who gave a grant: see it, take a copy, take it back.
 * @module grant
 */

import { getOwnGrant, grantPath, revokeGrant } from "./api.js";
import { asTrouble } from "./trouble.js";
import { build, find, hideBanner, say, showBanner } from "./ui.js";
import { PURPOSES, places, when } from "./words.js";

/** @typedef {import("./api.js").OwnGrant} OwnGrant */

/** @type {Readonly<Record<OwnGrant["state"], string>>} */
const STATES = Object.freeze({
  holds: "Holds",
  revoked: "Taken back",
  expired: "Run out",
  void: "Does not hold",
});

/** @type {Readonly<Record<OwnGrant["state"], string>>} */
const LEADS = Object.freeze({
  holds: "You allowed this livefake installation to use your face. You can take that back at any time.",
  revoked: "You took it back. Your face can no longer be used here.",
  expired: "Its time is over. Your face can no longer be used here; you can still have what is kept deleted.",
  void: "It does not hold at the moment. You can still have what is kept deleted.",
});

/** One grant. */
class GrantPage {
  /** @param {string} key */
  constructor(key) {
    this.key = key;
    const dialog = find("revoke-dialog", HTMLDialogElement);
    find("export", HTMLAnchorElement).href = `${grantPath(key)}/export`;
    find("revoke", HTMLButtonElement).addEventListener("click", () => dialog.showModal());
    find("revoke-no", HTMLButtonElement).addEventListener("click", () => dialog.close());
    find("revoke-yes", HTMLButtonElement).addEventListener("click", () => {
      dialog.close();
      this.revoke();
    });
  }

  async load() {
    try {
      this.show(await getOwnGrant(this.key));
    } catch (error) {
      showBanner(asTrouble(error), { label: "Try again", run: () => this.load() });
    }
  }

  /** @param {OwnGrant} grant */
  show(grant) {
    say(find("lead", HTMLElement), LEADS[grant.state]);
    const badge = find("state", HTMLElement);
    badge.dataset.state = grant.state;
    say(badge, STATES[grant.state]);
    const rows = [
      ["Your name", grant.subject],
      ["You allowed", grant.purposes.map((purpose) => PURPOSES[purpose][0].toLowerCase()).join(", ")],
      ["Where it may be seen", places(grant.outputs)],
      ["From", when(grant.since)],
      ["Until", when(grant.until)],
    ];
    if (grant.revoked_at !== null) rows.push(["Taken back", when(grant.revoked_at)]);
    const made = grant.packs.length === 1 ? "1 persona" : `${grant.packs.length} personas`;
    rows.push(["Made from your face", grant.packs.length > 0 ? `${made}: ${grant.packs.join(", ")}` : "nothing is here"]);
    rows.push(["Number", grant.id]);
    find("list", HTMLElement).replaceChildren(
      ...rows.map(([term = "", text = ""]) => build("div", {}, build("dt", {}, term), build("dd", {}, text))),
    );
    find("content", HTMLElement).hidden = false;
    // What could not be deleted the first time can be tried again.
    find("take-back", HTMLElement).hidden = grant.state === "revoked" && grant.packs.length === 0;
  }

  async revoke() {
    const button = find("revoke", HTMLButtonElement);
    button.disabled = true;
    hideBanner();
    try {
      const { at, packs } = await revokeGrant(this.key);
      const pictures = packs.length > 0 ? `, and so are the personas made from it: ${packs.join(", ")}` : "";
      const text = `Taken back on ${when(at)}. The description of your face is deleted${pictures}. What was running stops within five seconds.`;
      const done = find("done", HTMLElement);
      done.hidden = false;
      say(done, text);
      done.focus();
    } catch (error) {
      showBanner(asTrouble(error), { label: "Try again", run: () => this.revoke() });
    }
    button.disabled = false;
    await this.load();
  }
}

new GrantPage(decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "")).load();
