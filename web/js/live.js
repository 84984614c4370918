/**
 * The live screen: shows snapshots of a session and passes on what the person presses.
 * @module live
 */

import { Arrangement } from "./arrange.js";
import { Keeper } from "./keep.js";
import { OutputsPanel } from "./outputs.js";
import { PersonaPicker } from "./personas.js";
import { WORDS, clock, pictureVisible } from "./phases.js";
import { SoundControls } from "./sound.js";
import { fillRows, find, say } from "./ui.js";

/** @typedef {import("./api.js").Others} Others */
/** @typedef {import("./api.js").Persona} Persona */
/** @typedef {import("./phases.js").Phase} Phase */
/** @typedef {import("./session.js").Snapshot} Snapshot */
/** @typedef {import("./source.js").Source} Source */
/** @typedef {import("./trouble.js").Trouble} Trouble */
/**
 * @typedef {object} Listener
 * @property {() => void} onStop
 * @property {() => void} onAgain
 * @property {() => void} onResume
 * @property {(persona: Persona) => void} onPersona
 * @property {(others: Others) => void} onOthers
 * @property {(tone: number) => void} onTone
 * @property {(sound: import("./sound.js").SoundChange) => void} onSound
 * @property {(on: boolean) => Promise<void>} onRecord
 * @property {() => Promise<void>} onSnapshot
 * @property {(look: Partial<import("./settings.js").Look>) => void} onLook
 */

/** @type {ReadonlyArray<[keyof import("./meter.js").DelayParts, string]>} */
const PARTS = [
  ["encode", "Encode in the browser"],
  ["network", "Network, there and back"],
  ["server", "Server"],
  ["buffer", "Jitter buffer"],
  ["decode", "Decode in the browser"],
  ["display", "One screen refresh"],
];

/** The page's live section. */
export class LiveScreen {
  /** @param {Listener} listener */
  constructor(listener) {
    this.section = find("live", HTMLElement);
    this.stage = find("stage", HTMLElement);
    this.videos = { local: find("local", HTMLVideoElement), remote: find("remote", HTMLVideoElement) };
    this.others = find("live-others", HTMLSelectElement);
    this.tone = find("live-tone", HTMLInputElement);
    this.keeper = new Keeper(listener);
    this.sound = new SoundControls(listener.onSound);
    this.outputs = new OutputsPanel(listener.onLook);
    this.arrangement = new Arrangement(listener.onLook);
    this.picker = new PersonaPicker(find("live-personas", HTMLElement), "live-persona", listener.onPersona);

    this.others.addEventListener("change", () => listener.onOthers(/** @type {Others} */ (this.others.value)));
    this.tone.addEventListener("change", () => listener.onTone(this.tone.valueAsNumber));
    onClick("stop", listener.onStop);
    onClick("back", listener.onStop);
    onClick("again", listener.onAgain);
    onClick("resume", listener.onResume);
    onClick("full", () => this.#fullScreen());
    find("full", HTMLElement).hidden = !(
      "requestFullscreen" in this.stage || "webkitEnterFullscreen" in this.videos.remote
    );
  }

  /**
   * @param {Persona[]} personas
   * @returns {void}
   */
  fill(personas) {
    this.picker.fill(personas);
  }

  /**
   * Enter the screen while the connection is being set up.
   * @param {Source} source
   * @param {import("./settings.js").Settings} settings
   * @returns {void}
   */
  begin(source, settings) {
    this.section.hidden = false;
    this.videos.local.srcObject = new MediaStream([source.track]);
    const own =
      source.kind === "camera" ? "Your camera. Only you see this." : "The built-in clip. A fictional performer.";
    say(find("local-caption", HTMLElement), own);
    this.choose(settings);
    this.sound.begin(source.sound ?? null);
    this.outputs.begin(settings);
    this.arrangement.choose(settings.layout);
    find("cover-actions", HTMLElement).hidden = true;
    this.#enable(false);
    find("stop", HTMLButtonElement).disabled = false;
    find("local-figure", HTMLElement).hidden = false;
    this.#blank();
    this.keeper.show(null);
    this.#phase("connecting", "", 0);
    this.#cover(true, "Connecting", "The first picture comes in a moment.");
    find("live-title", HTMLElement).focus();
  }

  /**
   * Mark what is in force.
   * @param {import("./settings.js").Settings} settings
   * @returns {void}
   */
  choose(settings) {
    this.picker.choose(settings.persona);
    this.others.value = settings.others;
    this.tone.value = String(settings.tone);
  }

  /**
   * The session exists: its controls work from here on.
   * @param {import("./api.js").SessionAnswer} session
   * @returns {void}
   */
  opened(session) {
    this.outputs.opened(session);
    this.#enable(true);
  }

  /**
   * @param {Snapshot} snapshot
   * @returns {void}
   */
  show(snapshot) {
    const { phase, report, parts } = snapshot;
    const visible = pictureVisible(phase, snapshot.remoteFrames);
    this.#phase(phase, snapshot.reason, snapshot.seconds);
    this.#cover(!visible, WORDS[phase].label, snapshot.reason || WORDS[phase].text);
    find("resume", HTMLElement).hidden = !report?.needs_resume;

    say(find("m-delay", HTMLElement), snapshot.delayMs === null ? "–" : snapshot.delayMs.toFixed(0));
    say(find("m-fps", HTMLElement), visible ? snapshot.fps.toFixed(0) : "–");
    say(find("m-size", HTMLElement), snapshot.width > 0 ? `${snapshot.width} × ${snapshot.height}` : "–");

    this.outputs.resize(snapshot.width, snapshot.height);

    if (parts) {
      const rows = PARTS.map(([key, name]) => [name, decimal(parts[key])]);
      fillRows(find("parts", HTMLElement), [...rows, ["Delay", decimal(snapshot.delayMs)]]);
    }
    if (report) this.#details(report);
    if (report) this.keeper.show(report.recording);
    if (report) this.sound.show(report.sound);
  }

  /**
   * The session is over although nobody pressed Stop: say why, offer a way on.
   * @param {Trouble} trouble
   * @returns {void}
   */
  lose(trouble) {
    leaveFullScreen();
    this.sound.end();
    this.videos.local.srcObject = null;
    find("local-figure", HTMLElement).hidden = true;
    this.#blank();
    find("rec", HTMLElement).hidden = true;
    this.outputs.end();
    this.#phase("lost", trouble.problem, null);
    this.#cover(true, trouble.problem, trouble.remedy);
    this.#enable(false);
    find("resume", HTMLElement).hidden = true;
    find("cover-actions", HTMLElement).hidden = false;
    find("again", HTMLButtonElement).focus();
  }

  /** @returns {void} */
  end() {
    leaveFullScreen();
    this.sound.end();
    this.videos.local.srcObject = null;
    this.outputs.end();
    this.section.hidden = true;
  }

  /**
   * @param {Phase} phase
   * @param {string} reason
   * @param {number | null} seconds null leaves the clock as it is.
   */
  #phase(phase, reason, seconds) {
    const { label, text } = WORDS[phase];
    const badge = find("badge", HTMLElement);
    badge.dataset.phase = phase;
    say(badge, label);
    say(find("reason", HTMLElement), reason || text);
    say(find("announce", HTMLElement), `${label}. ${reason || text}`);
    if (seconds !== null) say(find("clock", HTMLElement), clock(seconds));
  }

  /**
   * @param {boolean} covered
   * @param {string} title
   * @param {string} text
   */
  #cover(covered, title, text) {
    find("cover", HTMLElement).hidden = !covered;
    this.stage.classList.toggle("is-covered", covered);
    say(find("cover-title", HTMLElement), title);
    say(find("cover-text", HTMLElement), text);
  }

  /** @param {import("./api.js").SessionReport} report */
  #details(report) {
    const stages = Object.entries(report.stages ?? {});
    const all = report.frame ? [...stages, /** @type {const} */ (["whole frame", report.frame])] : stages;
    fillRows(
      find("stages", HTMLElement),
      all.map(([name, { p50_ms, p95_ms, cpu_ms }]) => [name, decimal(p50_ms), decimal(p95_ms), decimal(cpu_ms)]),
    );
    const counts = Object.entries(report.frames ?? {});
    fillRows(
      find("frames", HTMLElement),
      counts.map(([name, count]) => [name, count.toLocaleString("en")]),
    );
    say(find("quality-text", HTMLElement), qualityWords(report));
    const mark = report.mark ?? { read: 0, missed: 0 };
    say(find("mark-text", HTMLElement), `Watermark read back from what was sent: ${mark.read} times, missed ${mark.missed}.`);
  }

  #blank() {
    for (const id of ["m-delay", "m-fps", "m-size"]) say(find(id, HTMLElement), "–");
    say(find("quality-text", HTMLElement), "");
  }

  /** @param {boolean} on */
  #enable(on) {
    for (const id of ["stop", "full"]) find(id, HTMLButtonElement).disabled = !on;
    this.keeper.enable(on);
    this.others.disabled = this.tone.disabled = this.sound.button.disabled = this.sound.offset.disabled = !on;
    for (const input of this.picker.container.querySelectorAll("input")) input.disabled = !on;
  }

  #fullScreen() {
    if (document.fullscreenElement) leaveFullScreen();
    // A browser or a frame may refuse; then everything stays as it is.
    else if ("requestFullscreen" in this.stage) this.stage.requestFullscreen().catch(() => undefined);
    // iPhones know full screen only for the video element itself.
    else /** @type {any} */ (this.videos.remote).webkitEnterFullscreen();
  }
}

/**
 * @param {import("./api.js").SessionReport} report
 * @returns {string} What the swap runs with now, and whether this computer could not keep up with more.
 */
function qualityWords({ quality, steps_down: down }) {
  if (!quality) return "";
  return `${down > 0 ? "What this computer keeps up with" : "Full quality"}: ${quality}.`;
}

/** @returns {void} */
function leaveFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen().catch(() => undefined);
}

/**
 * @param {string} id
 * @param {() => void} run
 */
function onClick(id, run) {
  find(id, HTMLButtonElement).addEventListener("click", run);
}

/**
 * @param {number | null | undefined} value
 * @returns {string}
 */
function decimal(value) {
  return value === null || value === undefined ? "–" : value.toFixed(1);
}
