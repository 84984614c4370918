/**
 * The state of a session in words. Pure: what the server says and what the browser sees go in, a phase comes out.
 * @module phases
 */

/** @typedef {"connecting" | "waiting" | "live" | "held" | "card" | "paused" | "stalled" | "reconnecting" | "lost"} Phase */
/** @typedef {import("./api.js").SessionReport} SessionReport */

/** @type {Readonly<Record<Phase, {label: string, text: string}>>} */
export const WORDS = Object.freeze({
  connecting: { label: "Connecting", text: "Setting up the connection." },
  waiting: { label: "Waiting", text: "Look into the camera to begin." },
  live: { label: "Live", text: "Your face is being replaced." },
  held: { label: "Holding", text: "The last good picture stays for a moment." },
  card: { label: "Face lost", text: "Viewers see a card, never your camera." },
  paused: { label: "Paused", text: "Confirm that it is still you in the picture." },
  stalled: { label: "No picture", text: "No pictures come back at the moment." },
  reconnecting: { label: "Reconnecting…", text: "The connection was interrupted. Viewers see a card meanwhile." },
  lost: { label: "Disconnected", text: "The connection has ended." },
});

/**
 * @param {SessionReport | null} report The server's latest word; null before the first.
 * @param {number} shown Frames shown so far.
 * @param {boolean} stalled Frames stopped coming back.
 * @returns {Phase}
 */
export function phaseOf(report, shown, stalled) {
  if (report === null) return "connecting";
  if (report.state === "ended") return "lost";
  if (report.needs_resume) return "paused";
  if (report.state === "waiting") return "waiting";
  if (shown === 0) return "connecting";
  return stalled && report.state === "live" ? "stalled" : report.state;
}

/**
 * May the returned picture be seen? Before the first one there is only an empty video element.
 * @param {Phase} phase
 * @param {number} shown
 * @returns {boolean}
 */
export function pictureVisible(phase, shown) {
  return shown > 0 && !["connecting", "reconnecting", "lost"].includes(phase);
}

/**
 * @param {number} seconds
 * @returns {string} Such as 2:05 or 1:02:05.
 */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
