/**
 * The microphone: choosing one, seeing how loud it is, muting it, and moving it in time. None is used unless chosen.
 * @module sound
 */

import { Trouble } from "./trouble.js";
import { build, find, say } from "./ui.js";

/** @typedef {import("./settings.js").Settings} Settings */
/** @typedef {import("./api.js").SoundReport} SoundReport */
/** @typedef {{muted?: boolean, offset_ms?: number}} SoundChange */

/** Stands for a microphone whose name the browser does not tell yet. */
const ANY = "default";
const QUIETEST_DB = -60;

/**
 * Open a microphone, as it is: nobody hears themselves here, so there is no echo to take away.
 * @param {string} device Device id; one that is gone falls back to the browser's choice.
 * @returns {Promise<MediaStreamTrack>}
 * @throws {Trouble} No permission, none there, or in use.
 */
async function openMicrophone(device) {
  if (!navigator.mediaDevices?.getUserMedia) throw troubleOf("insecure");
  const untouched = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  try {
    const audio = device === ANY ? untouched : { ...untouched, deviceId: { ideal: device } };
    const [track] = (await navigator.mediaDevices.getUserMedia({ audio, video: false })).getAudioTracks();
    if (!track) throw new DOMException("", "NotFoundError");
    return track;
  } catch (error) {
    throw troubleOf(error instanceof DOMException ? error.name : "");
  }
}

/** Shows how loud a track is until it is stopped. */
class LevelMeter {
  /**
   * @param {MediaStreamTrack} track
   * @param {HTMLMeterElement} element
   */
  constructor(track, element) {
    this.element = element;
    this.context = new AudioContext();
    // Read ten times a second, so it should remember a little of what was between.
    this.analyser = new AnalyserNode(this.context, { fftSize: 2048 });
    this.context.createMediaStreamSource(new MediaStream([track])).connect(this.analyser);
    this.samples = new Float32Array(this.analyser.fftSize);
    this.timer = setInterval(() => this.#read(), 100);
  }

  #read() {
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, sample) => sum + sample * sample, 0) / this.samples.length;
    this.element.value = Math.max(0, 1 - (10 * Math.log10(power + 1e-9)) / QUIETEST_DB);
  }

  /** @returns {void} */
  stop() {
    clearInterval(this.timer);
    this.element.value = 0;
    this.context.close().catch(() => undefined);
  }
}

/** The choice of a microphone before going live. */
export class MicrophoneChoice {
  /**
   * @param {Settings} settings Changed in place.
   * @param {{onChosen: () => void, onTrouble: (trouble: Trouble) => void}} listener
   */
  constructor(settings, listener) {
    this.settings = settings;
    this.listener = listener;
    this.select = find("microphone", HTMLSelectElement);
    this.element = find("microphone-level", HTMLMeterElement);
    /** @type {MediaStreamTrack | null} */
    this.track = null;
    /** @type {LevelMeter | null} */
    this.meter = null;
    this.select.addEventListener("change", () => this.choose(this.select.value));
    navigator.mediaDevices?.addEventListener("devicechange", () => this.fill());
    this.fill();
  }

  /**
   * Use another microphone; empty for none. It is opened at once, so that its level can be seen.
   * @param {string} device
   */
  async choose(device) {
    this.close();
    this.settings.microphone = this.select.value = device;
    this.listener.onChosen();
    if (!device) return;
    try {
      const track = await openMicrophone(device);
      if (this.settings.microphone !== device || this.track) return track.stop();
      this.track = track;
      this.element.hidden = false;
      this.meter = new LevelMeter(track, this.element);
      await this.fill();
    } catch (error) {
      await this.choose("");
      this.listener.onTrouble(/** @type {Trouble} */ (error));
    }
  }

  /**
   * Hand over the microphone, opening it where it is not yet.
   * @returns {Promise<MediaStreamTrack | null>} null where none was chosen.
   * @throws {Trouble} It cannot be opened.
   */
  async take() {
    const { track } = this;
    this.track = null;
    this.close();
    if (!this.settings.microphone) {
      track?.stop();
      return null;
    }
    if (track?.readyState === "live") return track;
    return openMicrophone(this.settings.microphone);
  }

  /** @returns {void} */
  close() {
    this.meter?.stop();
    this.meter = null;
    this.element.hidden = true;
    this.track?.stop();
    this.track = null;
  }

  /** List the microphones. Browsers tell names only after permission was given. */
  async fill() {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    const named = devices.filter(({ kind, label, deviceId }) => kind === "audioinput" && label && deviceId !== ANY);
    const options = named.map(({ deviceId, label }) => build("option", { value: deviceId }, label));
    const any = build("option", { value: ANY }, named.length > 0 ? "The usual microphone" : "A microphone");
    this.select.replaceChildren(build("option", { value: "" }, "None, no sound"), any, ...options);
    const current = this.settings.microphone;
    const known = current === "" || current === ANY || named.some(({ deviceId }) => deviceId === current);
    this.select.value = known ? current : ANY;
  }
}

/** The sound's controls on the live screen; hidden where there is no microphone. */
export class SoundControls {
  /** @param {(change: SoundChange) => void} onChange */
  constructor(onChange) {
    this.button = find("mute", HTMLButtonElement);
    this.element = find("live-level", HTMLMeterElement);
    this.offset = find("offset", HTMLInputElement);
    /** @type {MediaStreamTrack | null} */
    this.track = null;
    /** @type {LevelMeter | null} */
    this.meter = null;
    this.button.addEventListener("click", () => {
      const muted = this.button.getAttribute("aria-pressed") !== "true";
      // Silent at once and here: what is muted does not even leave this page.
      this.#mute(muted);
      onChange({ muted });
    });
    this.offset.addEventListener("input", () => this.#showOffset());
    this.offset.addEventListener("change", () => onChange({ offset_ms: this.offset.valueAsNumber }));
  }

  /**
   * @param {MediaStreamTrack | null} track
   * @returns {void}
   */
  begin(track) {
    this.end();
    this.track = track;
    find("sound-live", HTMLElement).hidden = find("sound-time", HTMLElement).hidden = this.button.hidden = !track;
    this.#mute(false);
    this.offset.value = "0";
    this.#showOffset();
    if (track) this.meter = new LevelMeter(track, this.element);
  }

  /**
   * Show what is in force on the server.
   * @param {SoundReport} sound
   * @returns {void}
   */
  show(sound) {
    if (!this.track) return;
    this.#mute(sound.muted);
    if (document.activeElement !== this.offset) this.offset.value = String(sound.offset_ms);
    this.#showOffset();
    say(find("sound-delay", HTMLElement), `The sound waits for the picture: ${sound.video_delay_ms.toFixed(0)} ms now.`);
  }

  /** @returns {void} */
  end() {
    this.meter?.stop();
    this.meter = this.track = null;
  }

  /** @param {boolean} muted */
  #mute(muted) {
    if (this.track) this.track.enabled = !muted;
    this.button.setAttribute("aria-pressed", String(muted));
    say(find("mute-text", HTMLElement), muted ? "Muted" : "Mute");
  }

  #showOffset() {
    const ms = this.offset.valueAsNumber;
    const text = ms === 0 ? "as measured" : `${Math.abs(ms)} ms ${ms > 0 ? "later" : "earlier"}`;
    say(find("offset-text", HTMLElement), text);
  }
}

/**
 * @param {string} name Name of the browser's exception.
 * @returns {Trouble}
 */
function troubleOf(name) {
  switch (name) {
    case "insecure":
      return new Trouble(
        "This page may not use the microphone.",
        "Browsers allow it only on localhost or over https: open livefake at http://127.0.0.1 on the same machine.",
        "microphone-insecure",
      );
    case "NotAllowedError":
    case "SecurityError":
      return new Trouble(
        "The browser did not allow the microphone.",
        "Allow it for this page (the sign in the address bar) and choose it again, or go live without sound.",
        "microphone-denied",
      );
    case "NotFoundError":
    case "OverconstrainedError":
      return new Trouble("No microphone was found.", "Plug one in, or go live without sound.", "microphone-missing");
    default:
      return new Trouble(
        "The microphone does not start.",
        "Close other programs that use it, or go live without sound.",
        "microphone-busy",
      );
  }
}
