/**
 * The page of a person who was invited: read, choose, be checked, sign.
 * @module enrol
 */

import { beginCheck, endCheck, enrolIcePath, getCheck, getIce, getInvitation, signGrant } from "./api.js";
import { give } from "./rtc.js";
import { openPerson } from "./source.js";
import { Trouble, asTrouble } from "./trouble.js";
import { build, find, hideBanner, say, showBanner } from "./ui.js";
import { OUTPUTS, PURPOSES, fillTicks, forDays, places, readTicks, showLink, when } from "./words.js";

/** @typedef {import("./api.js").CheckState} CheckState */
/** @typedef {import("./api.js").InvitationText} InvitationText */
/** @typedef {import("./api.js").Scope} Scope */
/** @typedef {"ask" | "check" | "sign" | "done" | "refused"} Screen */

const LOOK_MS = 250;
const LINES = 360;
const LOST_LOOKS = 12;
const SCREENS = /** @type {const} */ (["ask", "check", "sign", "done", "refused"]);

/** @param {number} ms */
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Leads one person from the question to the signature. */
class Enrolment {
  /** @param {string} key Of the invitation. */
  constructor(key) {
    this.key = key;
    /** @type {Screen} */
    this.screen = "ask";
    /** @type {InvitationText | null} */
    this.text = null;
    /** @type {Scope & {subject: string} | null} */
    this.wish = null;
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {RTCPeerConnection | null} */
    this.connection = null;
    this.check = "";
    this.video = find("mirror", HTMLVideoElement);

    find("ask-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
    find("cancel", HTMLButtonElement).addEventListener("click", () => this.leave());
    find("sign-yes", HTMLButtonElement).addEventListener("click", () => this.sign());
    find("sign-no", HTMLButtonElement).addEventListener("click", () => this.leave());
    find("again", HTMLButtonElement).addEventListener("click", () => this.retry());
    addEventListener("pagehide", () => this.release());
    addEventListener("pageshow", (event) => {
      if (event.persisted) location.reload();
    });
  }

  /** Fetch what is asked. */
  async load() {
    if (!window.isSecureContext) {
      showBanner(
        new Trouble(
          "The camera cannot be used here, because this page was not opened over HTTPS.",
          "Ask for a link that begins with https, or open this one on the computer where livefake runs.",
        ),
      );
      find("start", HTMLButtonElement).disabled = true;
    }
    try {
      this.fill(await getInvitation(this.key));
    } catch (error) {
      showBanner(asTrouble(error), { label: "Try again", run: () => this.load() });
    }
  }

  /** @param {InvitationText} text */
  fill(text) {
    this.text = text;
    fillTicks(find("purposes", HTMLElement), "purpose", text.purposes, PURPOSES);
    fillTicks(find("outputs", HTMLElement), "output", text.outputs, OUTPUTS);
    find("outputs-group", HTMLElement).hidden = text.outputs.length === 0;
    const days = find("days", HTMLInputElement);
    days.max = String(text.days);
    days.value = String(text.days);
    say(find("days-about", HTMLElement), `At most ${forDays(text.days)} were asked for.`);
    say(find("notice-title", HTMLElement), text.notice.title);
    const notice = find("notice", HTMLElement);
    notice.replaceChildren(...text.notice.paragraphs.map((paragraph) => build("p", {}, paragraph)));
    notice.removeAttribute("aria-busy");
    say(find("agree-text", HTMLElement), text.notice.tick);
    const until = new Date(text.until * 1000).toLocaleTimeString("en", { timeStyle: "short" });
    say(find("until", HTMLElement), `This link can be used until ${until}, once.`);
  }

  /** Read the form, open the camera and begin. */
  async start() {
    const wish = this.read();
    if (!wish || !this.text) return;
    this.wish = wish;
    hideBanner();
    this.busy(true);
    try {
      this.stream = await openPerson();
      this.video.srcObject = this.stream;
      await this.video.play();
      const consent = { notice: this.text.notice.id, accepted: /** @type {const} */ (true) };
      const ice = await getIce(enrolIcePath(this.key));
      /** @type {import("./rtc.js").Signal} */
      const signal = async (sdp) => {
        const begun = await beginCheck(this.key, { sdp, consent, adult: true });
        this.check = begun.check;
        this.show("check");
        this.step(begun.state);
        return begun.sdp;
      };
      this.connection = await give(this.stream, LINES, signal, ice);
      this.watch();
    } catch (error) {
      this.release();
      this.show("ask");
      showBanner(asTrouble(error));
    }
    this.busy(false);
  }

  /** Ask how it goes until it is over. */
  async watch() {
    const { check } = this;
    for (let lost = 0; this.check === check && this.screen === "check"; ) {
      await wait(LOOK_MS);
      try {
        const state = await getCheck(this.key, check);
        lost = 0;
        if (this.check === check) this.step(state);
      } catch (error) {
        const trouble = asTrouble(error);
        lost += 1;
        if (this.check === check && (trouble.code === "http-404" || lost > LOST_LOOKS)) this.refuse(trouble, 0);
      }
    }
  }

  /** @param {CheckState} state */
  step(state) {
    const { step } = state;
    if (state.state === "passed") return this.pass();
    if (state.state === "refused") return this.refuse(new Trouble(state.problem, state.remedy), state.tries);
    say(find("hint", HTMLElement), step.hint);
    find("prompt", HTMLElement).dataset.prompt = step.prompt ?? "calm";
    const code = find("code", HTMLElement);
    code.hidden = step.code === null;
    if (step.code !== null) say(code, `${step.code.slice(0, 3)} ${step.code.slice(3)}`);
    const bar = find("progress", HTMLProgressElement);
    bar.max = step.of;
    bar.value = step.index;
    say(find("count", HTMLElement), `${step.index} of ${step.of} done`);
    say(find("left", HTMLElement), `${Math.ceil(step.left_ms / 1000)} s left for this`);
  }

  /** The check has passed: the camera goes off before anything is signed. */
  pass() {
    this.darken();
    const { wish } = this;
    if (!wish) return;
    const until = when(Date.now() / 1000 + wish.days * 86_400);
    const rows = [
      ["Your name", wish.subject],
      ["You allow", wish.purposes.map((purpose) => PURPOSES[purpose][0].toLowerCase()).join(", ")],
      ["Where it may be seen", places(wish.outputs)],
      ["For", `${forDays(wish.days)}, until ${until}`],
    ];
    fillList("sign-list", rows);
    this.show("sign");
  }

  /** Sign, and show the person's own link. */
  async sign() {
    const { wish } = this;
    if (!wish) return;
    const button = find("sign-yes", HTMLButtonElement);
    button.disabled = true;
    hideBanner();
    try {
      const { grant, link } = await signGrant(this.key, this.check, { ...wish, sign: true });
      this.check = "";
      say(find("done-text", HTMLElement), `The grant holds until ${when(grant.until)}, unless you take it back.`);
      showLink("own", link);
      const open = find("own-open", HTMLAnchorElement);
      open.href = link.url;
      this.show("done");
    } catch (error) {
      const trouble = asTrouble(error);
      if (trouble.code === "http-404") this.refuse(trouble, this.text?.tries ?? 0);
      else showBanner(trouble);
    }
    button.disabled = false;
  }

  /**
   * @param {Trouble} trouble
   * @param {number} tries
   */
  refuse(trouble, tries) {
    this.release();
    say(find("refused-problem", HTMLElement), trouble.problem);
    say(find("refused-remedy", HTMLElement), trouble.remedy);
    const left = tries === 1 ? "1 try is" : `${tries} tries are`;
    const used = "This link is used up. Ask for a new one if you want to try again.";
    say(find("refused-tries", HTMLElement), tries > 0 ? `${left} left with this link.` : used);
    find("again", HTMLButtonElement).hidden = tries === 0;
    this.show("refused");
  }

  /** Begin anew with the same choices; what was ticked stays. */
  retry() {
    this.show("ask");
    this.start();
  }

  /** The person does not want to go on. */
  async leave() {
    this.release();
    find("ask-form", HTMLFormElement).reset();
    this.show("ask");
    await this.load();
  }

  /**
   * @returns {Scope & {subject: string} | null} null when something is missing, which is then shown.
   */
  read() {
    const { text } = this;
    if (!text) return null;
    const name = find("name", HTMLInputElement);
    const subject = name.value.trim();
    const purposes = readTicks(find("purposes", HTMLElement), text.purposes);
    const outputs = readTicks(find("outputs", HTMLElement), text.outputs);
    const days = find("days", HTMLInputElement);
    const adult = find("adult", HTMLInputElement);
    const agree = find("agree", HTMLInputElement);
    /** @type {[boolean, HTMLElement | null, string][]} */
    const missing = [
      [purposes.length === 0, find("purposes", HTMLElement).querySelector("input"), "Please tick what you allow."],
      [
        purposes.includes("wear") && outputs.length === 0,
        find("outputs", HTMLElement).querySelector("input"),
        "Please tick where your face may be seen.",
      ],
      [subject === "", name, "Please write the name you want to be called."],
      [!days.checkValidity() || days.value === "", days, `Please choose 1 to ${forDays(text.days)}.`],
      [!adult.checked, adult, "Please tick that you are of age; only who is can give a grant."],
      [!agree.checked, agree, "Please tick the box if you agree; the check starts only then."],
    ];
    const error = find("missing", HTMLElement);
    const first = missing.find(([is]) => is);
    error.hidden = !first;
    if (!first) return { subject, purposes, outputs, days: Number(days.value) };
    say(error, first[2]);
    first[1]?.focus();
    return null;
  }

  /** @param {boolean} busy */
  busy(busy) {
    find("start", HTMLButtonElement).disabled = busy;
    say(find("start-text", HTMLElement), busy ? "Starting…" : "Start the check");
  }

  /** @param {Screen} screen */
  show(screen) {
    this.screen = screen;
    for (const one of SCREENS) find(one, HTMLElement).hidden = one !== screen;
    if (screen !== "ask") find(`${screen}-title`, HTMLElement).focus();
    window.scrollTo(0, 0);
  }

  /** Camera and microphone off. */
  darken() {
    this.connection?.close();
    this.connection = null;
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }

  /** Camera off, and the check forgotten on the other side. */
  release() {
    const { check } = this;
    this.check = "";
    this.darken();
    if (check) endCheck(this.key, check).catch(() => undefined);
  }

  /** What tests may read. */
  stats() {
    return Object.freeze({ screen: this.screen });
  }
}

/**
 * @param {string} id Of a description list.
 * @param {string[][]} rows
 */
function fillList(id, rows) {
  find(id, HTMLElement).replaceChildren(
    ...rows.map(([term = "", text = ""]) => build("div", {}, build("dt", {}, term), build("dd", {}, text))),
  );
}

const enrolment = new Enrolment(decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? ""));
Object.defineProperty(window, "livefake", { value: Object.freeze({ stats: () => enrolment.stats() }) });
enrolment.load();
