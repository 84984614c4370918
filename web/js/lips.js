/**
 * Brings picture and sound of a viewer together soon. A browser does so by itself, once a second and a little at a time;
 * after a stall that takes it half a minute. The arithmetic is pure; only {@link keepLips} touches the browser.
 * @module lips
 */

const LOOK_MS = 500;
const LOOKS = 3;
/** Less apart than that nobody notices; the browser leaves off at the same. */
const FINE_MS = 30;
const SHARE = 0.6;
const MOST_MS = 400;

/** How long pictures should wait for their sound. */
export class LipDelay {
  constructor() {
    /** Milliseconds. */
    this.target = 0;
    /** @type {number[]} */
    this.lately = [];
  }

  /**
   * @param {number} late How much later the sound is than its picture, milliseconds.
   * @returns {boolean} Has the target changed?
   */
  see(late) {
    this.lately.push(late);
    if (this.lately.length < LOOKS) return false;
    const [, middle = 0] = this.lately.sort((one, other) => one - other);
    this.lately.length = 0;
    const target = Math.round(Math.min(MOST_MS, Math.max(0, this.target + middle * SHARE)));
    if (Math.abs(middle) < FINE_MS || target === this.target) return false;
    this.target = target;
    return true;
  }
}

/**
 * How much later the sound is played than the picture that belongs to it.
 * @param {Iterable<any>} stats Values of an RTCStatsReport.
 * @returns {number | null} Milliseconds; null where the browser does not tell, or does not know yet.
 */
export function lateness(stats) {
  /** @type {Record<string, number>} */
  const at = {};
  for (const entry of stats) {
    if (entry.type === "inbound-rtp" && entry.estimatedPlayoutTimestamp) {
      at[entry.kind] = entry.estimatedPlayoutTimestamp;
    }
  }
  return "video" in at && "audio" in at ? at.video - at.audio : null;
}

/**
 * Let pictures wait for their sound, for as long as the connection is open.
 * @param {RTCPeerConnection} pc
 * @returns {void}
 */
export function keepLips(pc) {
  /** @type {(RTCRtpReceiver & {jitterBufferTarget?: number | null}) | undefined} */
  const receiver = pc.getReceivers().find(({ track }) => track.kind === "video");
  if (!receiver || !("jitterBufferTarget" in receiver)) return;
  const delay = new LipDelay();
  const timer = setInterval(async () => {
    if (pc.connectionState === "closed") return clearInterval(timer);
    const late = lateness((await pc.getStats()).values());
    if (late !== null && delay.see(late)) receiver.jitterBufferTarget = delay.target;
  }, LOOK_MS);
}
