/**
 * One session on air: opens it, watches it once a second, changes it, ends it. Knows nothing of the page's layout.
 * @module session
 */

import {
  changeSession,
  closeSession,
  getIce,
  getSession,
  openSession,
  reconnectSession,
  recordSession,
  takeSnapshot,
  trickle,
} from "./api.js";
import { Lifeline } from "./lifeline.js";
import { FrameCounter, NOTHING, delayOf, measureRefresh, median, partsBetween, readReport } from "./meter.js";
import { phaseOf } from "./phases.js";
import { connect } from "./rtc.js";
import { Trouble, asTrouble } from "./trouble.js";

/** @typedef {import("./api.js").SessionAnswer} SessionAnswer */
/** @typedef {import("./api.js").SessionChange} SessionChange */
/** @typedef {import("./api.js").SessionReport} SessionReport */
/** @typedef {import("./meter.js").DelayParts} DelayParts */
/** @typedef {import("./phases.js").Phase} Phase */
/**
 * @typedef {object} Order What to open.
 * @property {import("./source.js").Source} source
 * @property {import("./settings.js").Settings} settings
 * @property {string} notice Id of the notice that was agreed to.
 */
/** @typedef {{local: HTMLVideoElement, remote: HTMLVideoElement}} Videos */
/**
 * @typedef {object} Snapshot Everything there is to show at one moment.
 * @property {Phase} phase
 * @property {string} reason
 * @property {number} seconds
 * @property {number | null} delayMs
 * @property {DelayParts | null} parts
 * @property {number} fps
 * @property {number} localFrames
 * @property {number} remoteFrames
 * @property {number} width
 * @property {number} height
 * @property {SessionReport | null} report
 */
/** @typedef {{seconds: number, delayMs: number | null, fps: number | null, report: SessionReport | null}} Summary */
/** @typedef {{onSnapshot: (snapshot: Snapshot) => void, onLost: (trouble: Trouble) => void}} Listener */

const POLL_MS = 1000;
/** While somebody waits for the first picture, of a session or of a connection that was made anew. */
const HURRIED_POLL_MS = 100;
const HURRY_MS = 5000;
const STALL_MS = 2500;
const MISSED_POLLS = 3;
const HISTORY = 3600;

/** A running session. */
export class LiveSession {
  /**
   * Connect and start watching.
   * @param {Order} order
   * @param {Videos} videos Both elements; the session attaches the returned picture only.
   * @param {Listener} listener
   * @returns {Promise<LiveSession>}
   * @throws {Trouble} The server refused or the connection could not be described.
   */
  static async open({ source, settings, notice }, videos, listener) {
    /** @type {SessionAnswer | undefined} */
    let opened;
    /** @param {import("./rtc.js").Signal} signal */
    const link = async (signal) =>
      connect(source.track, source.sound, settings.height, signal, await getIce(), (more) =>
        trickle(opened?.id ?? "", more),
      );
    try {
      const first = await link(async (sdp) => {
        const { persona, others, tone } = settings;
        const consent = { notice, accepted: /** @type {const} */ (true) };
        opened = await openSession({ sdp, persona, consent, source: source.kind, others, tone });
        return opened.sdp;
      });
      const answer = /** @type {SessionAnswer} */ (opened);
      const again = () => link(async (sdp) => (await reconnectSession(answer.id, sdp)).sdp);
      return new LiveSession({ answer, first, again, track: source.track, videos, listener });
    } catch (error) {
      if (opened) closeSession(opened.id).catch(() => undefined);
      throw asTrouble(error);
    }
  }

  /**
   * @param {object} parts
   * @param {SessionAnswer} parts.answer
   * @param {import("./lifeline.js").Link} parts.first The connection that it was opened with.
   * @param {() => Promise<import("./lifeline.js").Link>} parts.again Makes another one.
   * @param {MediaStreamTrack} parts.track
   * @param {Videos} parts.videos
   * @param {Listener} parts.listener
   */
  constructor({ answer, first, again, track, videos, listener }) {
    this.id = answer.id;
    this.answer = answer;
    this.videos = videos;
    this.listener = listener;
    this.opened = performance.now();
    this.counters = { local: new FrameCounter(videos.local), remote: new FrameCounter(videos.remote) };
    this.totals = NOTHING;
    this.progress = { decoded: 0, at: this.opened };
    this.missed = 0;
    /** Until when to ask more often. */
    this.hurry = 0;
    this.polling = false;
    /** @type {number | undefined} */
    this.timer = undefined;
    /** @type {SessionReport | null} */
    this.report = null;
    /** @type {number | null} */
    this.refreshMs = null;
    /** @type {number[]} */
    this.delays = [];
    /** @type {number[]} */
    this.rates = [];
    this.ended = new AbortController();

    videos.remote.srcObject = first.remote;
    this.line = new Lifeline(first, again, {
      onDown: () => this.#tell("reconnecting"),
      onUp: ({ remote }) => this.#goOn(remote),
      onGone: (trouble) => this.#lose(gone(trouble)),
    });
    const { signal } = this.ended;
    track.addEventListener("ended", () => this.#lose(sourceEnded()), { signal });
    measureRefresh().then((ms) => (this.refreshMs = ms));
    this.#poll();
  }

  /**
   * Change the face, the treatment of other faces, or go on after a pause.
   * @param {SessionChange} change
   * @returns {Promise<void>}
   */
  async change(change) {
    this.report = await changeSession(this.id, change);
  }

  /**
   * Begin to record, or end the recording.
   * @param {boolean} on
   * @returns {Promise<import("./api.js").Recording | null>} How it does.
   */
  async record(on) {
    this.report = await recordSession(this.id, on);
    return this.report.recording;
  }

  /**
   * The newest picture, signed.
   * @returns {Promise<Blob>}
   */
  async picture() {
    return takeSnapshot(this.id);
  }

  /**
   * End it here and on the server. Safe to call twice.
   * @returns {void}
   */
  close() {
    if (this.ended.signal.aborted) return;
    this.ended.abort();
    clearTimeout(this.timer);
    this.counters.local.stop();
    this.counters.remote.stop();
    this.videos.remote.srcObject = null;
    this.line.close();
    // The server also notices that the browser hung up; a refusal here changes nothing.
    closeSession(this.id).catch(() => undefined);
  }

  /** @returns {Summary} */
  summary() {
    return { seconds: this.#seconds(), delayMs: median(this.delays), fps: median(this.rates), report: this.report };
  }

  async #poll() {
    const { signal } = this.ended;
    this.polling = true;
    try {
      const [report, stats] = await Promise.all([getSession(this.id), this.line.link.pc.getStats()]);
      if (signal.aborted) return;
      this.missed = 0;
      this.report = report;
      this.#measure([...stats.values()], report);
      if (report.state === "ended") {
        this.#lose(new Trouble("The session has ended.", report.reason, "ended"));
        return;
      }
    } catch (error) {
      if (signal.aborted) return;
      const trouble = gone(asTrouble(error));
      this.missed += 1;
      const patient = this.line.down || this.missed < MISSED_POLLS;
      if (trouble.code !== "offline" || !patient) {
        this.#lose(trouble);
        return;
      }
    }
    this.polling = false;
    this.#pollLater();
  }

  #pollLater() {
    const awaited = this.report === null || this.report.state === "waiting" || performance.now() < this.hurry;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#poll(), awaited ? HURRIED_POLL_MS : POLL_MS);
  }

  /**
   * @param {unknown[]} stats
   * @param {SessionReport} report
   */
  #measure(stats, report) {
    const now = performance.now();
    const before = this.totals;
    this.totals = readReport(stats);
    const decoded = this.totals.decoded - before.decoded;
    const shownRate = this.counters.remote.rate();
    // Hidden pages draw nothing, so frames are counted where they are decoded.
    const fps = document.hidden ? (decoded * 1000) / Math.max(1, now - this.progress.at) : shownRate;
    if (decoded > 0) this.progress = { decoded: this.totals.decoded, at: now };
    const remoteFrames = Math.max(this.counters.remote.count, document.hidden ? this.totals.decoded : 0);
    const stalled = now - this.progress.at > STALL_MS;
    const phase = this.line.down ? "reconnecting" : phaseOf(report, remoteFrames, stalled);
    if (phase === "live") this.hurry = 0;
    const parts = partsBetween(before, this.totals, report.server_ms ?? null, this.refreshMs);
    const delayMs = phase === "live" ? delayOf(parts) : null;
    if (delayMs !== null) remember(this.delays, delayMs);
    if (phase === "live" && fps > 0) remember(this.rates, fps);

    this.#tell(phase, { delayMs, parts, fps, remoteFrames });
  }

  /**
   * @param {Phase} phase
   * @param {Partial<Snapshot>} [measured]
   */
  #tell(phase, measured = {}) {
    this.listener.onSnapshot({
      phase,
      reason: phase === "reconnecting" ? "" : (this.report?.reason ?? ""),
      seconds: this.#seconds(),
      delayMs: null,
      parts: null,
      fps: 0,
      localFrames: this.counters.local.count,
      remoteFrames: this.counters.remote.count,
      width: this.videos.remote.videoWidth,
      height: this.videos.remote.videoHeight,
      report: this.report,
      ...measured,
    });
  }

  /**
   * Another connection stands: show what comes over it, and count from nothing.
   * @param {MediaStream} remote
   */
  #goOn(remote) {
    this.totals = NOTHING;
    this.progress = { decoded: 0, at: performance.now() };
    this.videos.remote.srcObject = remote;
    this.hurry = performance.now() + HURRY_MS;
    if (!this.polling) this.#pollLater();
  }

  /** @param {Trouble} trouble */
  #lose(trouble) {
    if (this.ended.signal.aborted) return;
    this.close();
    this.listener.onLost(trouble);
  }

  #seconds() {
    return (performance.now() - this.opened) / 1000;
  }
}

/**
 * @param {number[]} history
 * @param {number} value
 */
function remember(history, value) {
  history.push(value);
  if (history.length > HISTORY) history.shift();
}

/**
 * The server's "no such session" means to the person here: it has ended.
 * @param {Trouble} trouble
 */
const gone = (trouble) =>
  trouble.code === "http-404"
    ? new Trouble("The session has ended on the server.", "Connect again to go on.")
    : trouble;

const sourceEnded = () =>
  new Trouble(
    "The camera stopped sending pictures.",
    "Plug it in again or free it, then connect again.",
    "source-ended",
  );
