/**
 * The page that looks for the mark: a file in, separate answers out.
 * @module verify
 */

import { examine } from "./api.js";
import { Trouble, asTrouble } from "./trouble.js";
import { build, fillRows, find, hideBanner, icon, say, showBanner } from "./ui.js";

/** @typedef {import("./api.js").Examined} Examined */
/** @typedef {import("./api.js").Verdict} Verdict */

const LIMIT_BYTES = 256 * 1024 * 1024;

/** @type {Readonly<Record<string, string>>} */
const TITLES = Object.freeze({
  mark: "Mark present",
  issuer: "Issuer known",
  session: "Session in this ledger",
  fingerprint: "Picture fits the ledger",
  grant: "Grant valid then",
  c2pa: "Signed statement (C2PA)",
});

/** @type {Readonly<Record<Verdict, string>>} */
const VERDICTS = Object.freeze({ yes: "Yes", no: "No", unknown: "Cannot be told", alarm: "Does not fit" });

/** Takes one file after the other. */
class VerifyPage {
  constructor() {
    this.drop = find("drop", HTMLElement);
    this.file = find("file", HTMLInputElement);
    this.work = find("work", HTMLElement);
    this.bar = find("work-bar", HTMLProgressElement);
    this.result = find("result", HTMLElement);
    /** @type {AbortController | null} */
    this.running = null;

    this.file.addEventListener("change", () => this.take(this.file.files));
    find("cancel", HTMLElement).addEventListener("click", () => this.cancel());
    addEventListener("dragover", (event) => {
      event.preventDefault();
      this.drop.classList.add("is-over");
    });
    addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) this.drop.classList.remove("is-over");
    });
    addEventListener("drop", (event) => {
      event.preventDefault();
      this.drop.classList.remove("is-over");
      this.take(event.dataTransfer?.files ?? null);
    });
    addEventListener("paste", (event) => this.take(event.clipboardData?.files ?? null));
  }

  /**
   * The first of the files; a file that is being examined makes room for it.
   * @param {FileList | null} files
   */
  take(files) {
    const file = files?.item(0);
    if (!file) return;
    this.running?.abort();
    hideBanner();
    this.result.hidden = true;
    if (file.size > LIMIT_BYTES) {
      this.explain(new Trouble("The file is longer than 256 MiB.", "Cut a piece out of it, or use: livefake verify"));
      return;
    }
    this.examine(file);
  }

  /** @param {File} file */
  async examine(file) {
    const running = new AbortController();
    this.running = running;
    this.work.hidden = false;
    this.tell(`Sending ${file.name}`, 0);
    try {
      const found = await examine(file, running.signal, (share) => {
        if (share < 1) this.tell(`Sending ${file.name}`, share);
        else this.tell("Looking for the mark. This takes some seconds.", null);
      });
      if (this.running === running) this.show(file, found);
    } catch (error) {
      if (!running.signal.aborted) this.explain(asTrouble(error));
    } finally {
      if (this.running === running) this.rest();
    }
  }

  /** Give up on the file that is being examined. */
  cancel() {
    this.running?.abort();
    this.rest();
    this.file.focus();
  }

  /** Be ready for the next file, the same one included. */
  rest() {
    this.running = null;
    this.work.hidden = true;
    this.file.value = "";
  }

  /**
   * @param {string} text
   * @param {number | null} share 0..1, or null where it cannot be told.
   */
  tell(text, share) {
    say(find("work-text", HTMLElement), text);
    if (share === null) this.bar.removeAttribute("value");
    else this.bar.value = share;
  }

  /**
   * @param {File} file
   * @param {Examined} found
   */
  show(file, found) {
    say(find("result-title", HTMLElement), file.name);
    const alarm = found.answers.some(({ verdict }) => verdict === "alarm");
    const verdict = alarm ? "alarm" : found.mark.present ? "yes" : "no";
    const summary = find("summary", HTMLElement);
    summary.dataset.verdict = verdict;
    summary.replaceChildren(icon(verdict), build("p", {}, found.summary));
    find("answers", HTMLElement).replaceChildren(
      ...found.answers.map(({ question, verdict: one, sentence }) =>
        build(
          "li",
          { class: "answer", "data-verdict": one },
          icon(one),
          build("span", { class: "answer-title" }, TITLES[question] ?? question),
          build("span", { class: "answer-verdict" }, VERDICTS[one]),
          build("p", { class: "answer-text" }, sentence),
        ),
      ),
    );
    fillRows(find("details", HTMLElement), rows(found));
    this.result.hidden = false;
    document.title = `${VERDICTS[verdict]} · Verify · livefake`;
    find("result-title", HTMLElement).focus();
  }

  /** @param {Trouble} trouble */
  explain(trouble) {
    this.rest();
    document.title = "Verify · livefake";
    showBanner(trouble);
    this.file.focus();
  }
}

/**
 * @param {Examined} found
 * @returns {string[][]}
 */
function rows({ mark, fingerprint, c2pa }) {
  const lines = [
    ["Places with the mark", `${mark.places.marked} of ${mark.places.looked_at}`],
    ["Pictures added up", String(mark.frames)],
    ["Pilots stand out by", `${mark.score.toFixed(1)} σ`],
  ];
  if (mark.payload) lines.push(["Payload", mark.payload]);
  if (mark.issuer) lines.push(["Issuer", mark.issuer.number]);
  if (mark.session !== null) lines.push(["Session", String(mark.session)]);
  if (fingerprint) lines.push(["Fingerprint differs in", `${fingerprint.distance} of 64 bits`]);
  lines.push(["C2PA", c2pa.state]);
  return lines;
}

new VerifyPage();
