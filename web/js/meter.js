/**
 * Measurements in the browser: how many frames were shown, and how long each part of the way takes.
 * The arithmetic is pure; only {@link readReport} and {@link FrameCounter} touch the browser.
 * @module meter
 */

/**
 * Running totals of a peer connection; seconds and counts, as in the W3C's webrtc-stats.
 * @typedef {object} Totals
 * @property {number} encodeTime
 * @property {number} encoded
 * @property {number} bufferTime
 * @property {number} emitted
 * @property {number} decodeTime
 * @property {number} decoded
 * @property {number | null} roundTrip
 */
/**
 * The way of one frame, milliseconds. null: not measured yet, or not by this browser.
 * @typedef {object} DelayParts
 * @property {number | null} encode
 * @property {number | null} network There and back.
 * @property {number | null} server
 * @property {number | null} buffer
 * @property {number | null} decode
 * @property {number | null} display
 */

/** @type {Readonly<Totals>} */
export const NOTHING = Object.freeze({
  encodeTime: 0,
  encoded: 0,
  bufferTime: 0,
  emitted: 0,
  decodeTime: 0,
  decoded: 0,
  roundTrip: null,
});

/**
 * Pick the totals that matter out of a stats report.
 * @param {Iterable<any>} stats Values of an RTCStatsReport.
 * @returns {Totals}
 */
export function readReport(stats) {
  const totals = { ...NOTHING };
  for (const entry of stats) {
    if (entry.type === "outbound-rtp" && entry.kind === "video") {
      totals.encodeTime = entry.totalEncodeTime ?? 0;
      totals.encoded = entry.framesEncoded ?? 0;
    } else if (entry.type === "inbound-rtp" && entry.kind === "video") {
      totals.bufferTime = entry.jitterBufferDelay ?? 0;
      totals.emitted = entry.jitterBufferEmittedCount ?? 0;
      totals.decodeTime = entry.totalDecodeTime ?? 0;
      totals.decoded = entry.framesDecoded ?? 0;
    } else if (entry.type === "candidate-pair" && entry.nominated && entry.state === "succeeded") {
      totals.roundTrip = entry.currentRoundTripTime ?? totals.roundTrip;
    }
  }
  return totals;
}

/**
 * Count what came in over a connection, whatever it was: a count that rises tells that the other end is there.
 * @param {Iterable<any>} stats Values of an RTCStatsReport.
 * @returns {number} Packets and bytes, added up.
 */
export function heardOf(stats) {
  let heard = 0;
  for (const entry of stats) {
    if (entry.type === "inbound-rtp") heard += entry.packetsReceived ?? 0;
    else if (entry.type === "transport") heard += entry.bytesReceived ?? 0;
  }
  return heard;
}

/**
 * Mean time of each part between two readings.
 * @param {Totals} before
 * @param {Totals} after
 * @param {number | null} serverMs From a frame's arrival at the server to its showing.
 * @param {number | null} displayMs One refresh of the screen.
 * @returns {DelayParts}
 */
export function partsBetween(before, after, serverMs, displayMs) {
  return {
    encode: mean(after.encodeTime - before.encodeTime, after.encoded - before.encoded),
    network: after.roundTrip === null ? null : after.roundTrip * 1000,
    server: serverMs,
    buffer: mean(after.bufferTime - before.bufferTime, after.emitted - before.emitted),
    decode: mean(after.decodeTime - before.decodeTime, after.decoded - before.decoded),
    display: displayMs,
  };
}

/**
 * The delay: the sum of the parts that were measured. Without the server's part it would be misleadingly small.
 * @param {DelayParts} parts
 * @returns {number | null} Milliseconds.
 */
export function delayOf(parts) {
  if (parts.server === null || parts.buffer === null) return null;
  return Object.values(parts).reduce((/** @type {number} */ sum, part) => sum + (part ?? 0), 0);
}

/**
 * @param {number} seconds
 * @param {number} count
 * @returns {number | null} Milliseconds a frame.
 */
function mean(seconds, count) {
  return count > 0 ? (seconds / count) * 1000 : null;
}

/**
 * @param {number[]} values
 * @returns {number | null}
 */
export function median(values) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}

/** Counts the frames that a video element really shows. */
export class FrameCounter {
  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.video = video;
    this.count = 0;
    this.before = { count: 0, at: performance.now() };
    this.running = true;
    if ("requestVideoFrameCallback" in video) this.#next();
  }

  /** @returns {void} */
  stop() {
    this.running = false;
  }

  /**
   * Frames a second since the last call.
   * @returns {number}
   */
  rate() {
    if (!("requestVideoFrameCallback" in this.video)) {
      this.count = /** @type {HTMLVideoElement} */ (this.video).getVideoPlaybackQuality().totalVideoFrames;
    }
    const now = { count: this.count, at: performance.now() };
    const seconds = (now.at - this.before.at) / 1000;
    const rate = seconds > 0 ? Math.max(0, now.count - this.before.count) / seconds : 0;
    this.before = now;
    return rate;
  }

  #next() {
    this.video.requestVideoFrameCallback(() => {
      this.count += 1;
      if (this.running) this.#next();
    });
  }
}

/**
 * Measure one refresh of the screen.
 * @param {number} [samples]
 * @returns {Promise<number | null>} Median milliseconds between two animation frames.
 */
export function measureRefresh(samples = 20) {
  return new Promise((resolve) => {
    /** @type {number[]} */
    const gaps = [];
    let last = 0;
    /** @param {number} now */
    const step = (now) => {
      if (last > 0) gaps.push(now - last);
      last = now;
      if (gaps.length < samples) requestAnimationFrame(step);
      else resolve(median(gaps));
    };
    requestAnimationFrame(step);
  });
}
