/**
 * The clean page for OBS: the picture alone on black, with its sound. Connects again by itself whenever the picture is gone.
 * @module view
 */

import { closeView, getIce, openView, viewIcePath } from "./api.js";
import { keepLips } from "./lips.js";
import { readReport } from "./meter.js";
import { watch } from "./rtc.js";
import { find } from "./ui.js";

const LOOK_MS = 1000;
const SILENT_LOOKS = 5;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 5000;

/** @param {number} ms */
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One viewer. */
class View {
  /**
   * @param {HTMLVideoElement} video
   * @param {string} key
   */
  constructor(video, key) {
    this.video = video;
    this.key = key;
    /** @type {string | null} */
    this.location = null;
    addEventListener("pagehide", () => this.leave());
  }

  /** Show the picture for as long as the page is open. */
  async run() {
    for (let pause = FIRST_WAIT_MS; ; pause = Math.min(pause * 1.5, LONGEST_WAIT_MS)) {
      if (await this.showOnce()) pause = FIRST_WAIT_MS;
      await wait(pause);
    }
  }

  /**
   * Connect, show, and come back when no picture arrives any more.
   * @returns {Promise<boolean>} Was there a picture?
   */
  async showOnce() {
    /** @type {RTCPeerConnection | undefined} */
    let connection;
    let seen = false;
    try {
      const ice = await getIce(viewIcePath(this.key));
      const { pc, remote } = await watch(async (offer) => {
        const answer = await openView(this.key, offer);
        this.location = answer.location;
        return answer.sdp;
      }, ice);
      connection = pc;
      this.video.srcObject = remote;
      if (remote.getAudioTracks().length > 0) {
        this.listen();
        keepLips(pc);
      }
      seen = await this.whilePlaying(pc);
    } catch {
      // The session may not be open yet, or the program may be starting: the next attempt follows.
    }
    connection?.close();
    this.dark(true);
    this.video.srcObject = null;
    this.leave();
    return seen;
  }

  /**
   * @param {RTCPeerConnection} pc
   * @returns {Promise<boolean>}
   */
  async whilePlaying(pc) {
    let decoded = 0;
    let silent = 0;
    while (silent < SILENT_LOOKS && pc.connectionState !== "failed" && pc.connectionState !== "closed") {
      await wait(LOOK_MS);
      const now = readReport((await pc.getStats()).values()).decoded;
      silent = now > decoded ? 0 : silent + 1;
      if (now > decoded) this.dark(false);
      decoded = now;
    }
    return decoded > 0;
  }

  /** @param {boolean} dark */
  dark(dark) {
    this.video.classList.toggle("is-dark", dark);
    document.title = dark ? "livefake view: waiting" : "livefake view";
  }

  /** Let the sound be heard. OBS allows that at once, a browser's tab only after a click. */
  listen() {
    this.video.muted = false;
    this.video.play().catch(() => {
      this.video.muted = true;
      this.video.play().catch(() => undefined);
      addEventListener("click", () => (this.video.muted = false), { once: true });
    });
  }

  /** Tell the server that this viewer is gone. */
  leave() {
    const { location } = this;
    this.location = null;
    if (location) closeView(location).catch(() => undefined);
  }
}

const key = decodeURIComponent(window.location.pathname.split("/").filter(Boolean).at(-1) ?? "");
new View(find("picture", HTMLVideoElement), key).run();
