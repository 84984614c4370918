/**
 * What is kept of a session: the record button with its red sign, and single pictures.
 * @module keep
 */

import { clock } from "./phases.js";
import { find, say } from "./ui.js";

/** @typedef {import("./api.js").Recording} Recording */
/** @typedef {{onRecord: (on: boolean) => Promise<void>, onSnapshot: () => Promise<void>}} Listener */

/** The buttons and the sign on the live screen. */
export class Keeper {
  /** @param {Listener} listener */
  constructor(listener) {
    this.record = find("record", HTMLButtonElement);
    this.snapshot = find("snapshot", HTMLButtonElement);
    this.recording = false;
    this.record.addEventListener("click", () => hold(this.record, () => listener.onRecord(!this.recording)));
    this.snapshot.addEventListener("click", () => hold(this.snapshot, () => listener.onSnapshot()));
  }

  /**
   * @param {Recording | null} recording The session's latest one.
   * @returns {void}
   */
  show(recording) {
    this.recording = recording?.phase === "recording";
    this.record.setAttribute("aria-pressed", String(this.recording));
    say(find("record-text", HTMLElement), this.recording ? "Stop recording" : "Record");
    find("rec", HTMLElement).hidden = !this.recording;
    say(find("rec-time", HTMLElement), clock(recording?.seconds ?? 0));
    const line = find("kept", HTMLElement);
    const text = recordingText(recording);
    line.hidden = text === "";
    line.classList.toggle("is-trouble", Boolean(recording?.problem));
    say(line, text);
  }

  /**
   * @param {boolean} on
   * @returns {void}
   */
  enable(on) {
    this.record.disabled = this.snapshot.disabled = !on;
  }
}

/**
 * A recording in words; empty while there is nothing to tell.
 * @param {Recording | null | undefined} recording
 * @returns {string}
 */
export function recordingText(recording) {
  if (!recording) return "";
  const { phase, problem, file } = recording;
  if (phase === "recording") return problem;
  if (phase === "failed") return problem || "The recording could not be saved.";
  const where = phase === "saved" ? `The recording is saved and signed: ${file}` : `The recording is being signed: ${file}`;
  return problem ? `${problem} ${where}` : where;
}

/**
 * Offer a file to the person, as a download.
 * @param {Blob} content
 * @param {string} name
 * @returns {void}
 */
export function download(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/**
 * Run once at a time: a second press while the first still works does nothing.
 * @param {HTMLButtonElement} button
 * @param {() => Promise<void>} run
 */
async function hold(button, run) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    await run();
  } finally {
    button.ariaBusy = "false";
  }
}
