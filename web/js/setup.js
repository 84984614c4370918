/**
 * The first screen: a face, a picture source, other faces, the notice and the consent.
 * @module setup
 */

import { PersonaPicker } from "./personas.js";
import { saveSettings } from "./settings.js";
import { MicrophoneChoice } from "./sound.js";
import { listCameras, openCamera, openClip } from "./source.js";
import { asTrouble } from "./trouble.js";
import { build, find, hideBanner, say } from "./ui.js";

/** @typedef {import("./api.js").Notice} Notice */
/** @typedef {import("./api.js").Persona} Persona */
/** @typedef {import("./api.js").Others} Others */
/** @typedef {import("./settings.js").Settings} Settings */
/** @typedef {import("./source.js").Source} Source */
/** @typedef {import("./trouble.js").Trouble} Trouble */

/** @type {Readonly<Record<Others, string>>} */
const OTHERS = Object.freeze({
  blur: "Anyone else who walks into the picture is blurred.",
  leave: "Other people stay visible as they are. Ask them first.",
  swap: "Other people get the same fictional face.",
});

/** The form before going live. */
export class Setup {
  /**
   * @param {Settings} settings Changed in place as the person chooses, and remembered.
   * @param {{onGo: () => void, onTrouble: (trouble: Trouble, again?: () => void) => void}} listener
   */
  constructor(settings, listener) {
    this.settings = settings;
    this.listener = listener;
    this.section = find("setup", HTMLElement);
    this.form = find("setup-form", HTMLFormElement);
    this.consent = find("consent", HTMLInputElement);
    this.device = find("device", HTMLSelectElement);
    this.quality = find("quality", HTMLSelectElement);
    this.picker = new PersonaPicker(find("personas", HTMLElement), "persona", (persona) =>
      this.#personaChosen(persona),
    );
    this.microphone = new MicrophoneChoice(settings, {
      onChosen: () => saveSettings(settings),
      onTrouble: (trouble) => listener.onTrouble(trouble),
    });
    /** @type {Source | null} */
    this.preview = null;
    this.noticeId = "";

    this.quality.value = settings.rate === 60 ? `${settings.height}-60` : String(settings.height);
    this.#check("source", settings.source);
    this.#check("others", settings.others);
    this.#listen();
    this.#showSource();
    this.#showOthers();
    this.#fillDevices();
  }

  /**
   * @param {Notice} notice
   * @param {Persona[]} personas
   * @returns {void}
   */
  fill(notice, personas) {
    // A tick is worth only as much as the text it was given for.
    if (notice.id !== this.noticeId) this.consent.checked = false;
    this.noticeId = notice.id;
    say(find("notice-title", HTMLElement), notice.title);
    const body = find("notice", HTMLElement);
    body.replaceChildren(...notice.paragraphs.map((paragraph) => build("p", {}, paragraph)));
    body.removeAttribute("aria-busy");
    say(find("consent-text", HTMLElement), notice.tick);

    this.picker.fill(personas);
    const wanted = personas.find(({ id }) => id === this.settings.persona) ?? personas[0];
    if (!wanted) return;
    this.picker.choose(wanted.id);
    this.#personaChosen(wanted);
  }

  /**
   * Hand over the picture source, and the microphone where one was chosen.
   * @returns {Promise<Source>}
   * @throws {Trouble} One of them cannot be opened.
   */
  async takeSource() {
    const source = await this.#takePicture();
    try {
      const sound = await this.microphone.take();
      if (!sound) return source;
      const close = () => {
        source.close();
        sound.stop();
      };
      return { ...source, sound, close };
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /** @returns {Promise<Source>} From the preview where one is running. */
  async #takePicture() {
    const { source, device, height, rate } = this.settings;
    const open = this.preview;
    this.preview = null;
    if (open && open.kind === source && open.track.readyState === "live") return open;
    open?.close();
    if (source === "clip") return openClip();
    const camera = await openCamera(device, height, rate);
    await this.#fillDevices();
    return camera;
  }

  /**
   * @param {"idle" | "busy" | "warming"} state
   * @param {string} [hint] Text below the button.
   * @returns {void}
   */
  setButton(state, hint = "") {
    const button = find("go", HTMLButtonElement);
    button.disabled = state !== "idle";
    say(find("go-text", HTMLElement), { idle: "Go live", busy: "Connecting…", warming: "Warming up…" }[state]);
    say(find("go-hint", HTMLElement), hint);
  }

  /**
   * Choose another source from outside the form, such as a button in an error message.
   * @param {import("./api.js").SourceKind} source
   * @returns {void}
   */
  chooseSource(source) {
    this.#check("source", source);
    this.#sourceChosen(source);
  }

  /**
   * Show the form again. Consent belongs to one session: after one, the tick is taken away.
   * @param {Settings} settings
   * @param {boolean} keepConsent True only where no session came about.
   * @returns {void}
   */
  show(settings, keepConsent) {
    if (!keepConsent) this.consent.checked = false;
    this.section.hidden = false;
    this.#check("others", settings.others);
    this.#showOthers();
    const persona = this.picker.personas.find(({ id }) => id === settings.persona);
    if (persona) {
      this.picker.choose(persona.id);
      this.#personaChosen(persona);
    }
    this.#showSource();
  }

  /** @returns {void} */
  hide() {
    this.section.hidden = true;
    this.#closePreview();
    this.microphone.close();
  }

  #listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.consent.addEventListener("change", () => this.#showMissing(false));
    for (const input of this.#radios("source")) {
      input.addEventListener("change", () => this.#sourceChosen(input.value === "clip" ? "clip" : "camera"));
    }
    for (const input of this.#radios("others")) {
      input.addEventListener("change", () => {
        this.settings.others = /** @type {Others} */ (input.value);
        this.#showOthers();
        saveSettings(this.settings);
      });
    }
    this.device.addEventListener("change", () => {
      this.settings.device = this.device.value;
      this.#reopenPreview();
    });
    this.quality.addEventListener("change", () => {
      this.settings.height = this.quality.value === "360" ? 360 : 720;
      this.settings.rate = this.quality.value.endsWith("-60") ? 60 : 30;
      this.#reopenPreview();
    });
    find("preview-start", HTMLButtonElement).addEventListener("click", () => this.#openPreview());
    navigator.mediaDevices?.addEventListener("devicechange", () => this.#fillDevices());
  }

  #submit() {
    if (!this.#mayGo()) return;
    hideBanner();
    this.listener.onGo();
  }

  /** Whether everything is there; a tick that is missing is pointed out. */
  #mayGo() {
    if (!this.noticeId || !this.settings.persona) return false;
    if (this.consent.checked) return true;
    this.#showMissing(true);
    this.consent.focus();
    return false;
  }

  /**
   * Use the consent for something other than a session from this page. The tick is taken away: it counts once.
   * @returns {{persona: string, others: Others, tone: number, consent: {notice: string, accepted: true}} | null} null without a tick.
   */
  agreed() {
    if (!this.#mayGo()) return null;
    this.consent.checked = false;
    const { persona, others, tone } = this.settings;
    return { persona, others, tone, consent: { notice: this.noticeId, accepted: true } };
  }

  /** @param {boolean} missing */
  #showMissing(missing) {
    find("consent-missing", HTMLElement).hidden = !missing;
    this.consent.setAttribute("aria-invalid", String(missing));
  }

  /** @param {Persona} persona */
  #personaChosen(persona) {
    this.settings.persona = persona.id;
    const kind = persona.kind === "fictional" ? "fictional" : "a real person who agreed";
    const name = build("strong", {}, `${persona.title}, ${kind}.`);
    find("persona-about", HTMLElement).replaceChildren(name, ` ${persona.description}`);
    saveSettings(this.settings);
  }

  /** @param {import("./api.js").SourceKind} source */
  #sourceChosen(source) {
    this.settings.source = source;
    this.#closePreview();
    this.#showSource();
    saveSettings(this.settings);
  }

  #showOthers() {
    say(find("others-about", HTMLElement), OTHERS[this.settings.others]);
  }

  #showSource() {
    const clip = this.settings.source === "clip";
    find("preview-still", HTMLElement).hidden = !clip;
    find("preview-video", HTMLElement).hidden = clip || this.preview === null;
    find("preview-off", HTMLElement).hidden = clip || this.preview !== null;
    find("device-field", HTMLElement).hidden = clip || this.device.options.length === 0;
  }

  async #openPreview() {
    this.#closePreview();
    try {
      const camera = await openCamera(this.settings.device, this.settings.height, this.settings.rate);
      if (this.section.hidden || this.settings.source !== "camera") {
        camera.close();
        return;
      }
      this.preview?.close();
      this.preview = camera;
      camera.track.addEventListener("ended", () => this.#closePreview());
      const video = find("preview-video", HTMLVideoElement);
      video.srcObject = new MediaStream([camera.track]);
      await video.play();
      await this.#fillDevices();
    } catch (error) {
      // The camera was closed again while it was starting: nothing to report.
      const cancelled = error instanceof DOMException && error.name === "AbortError";
      if (!cancelled) this.listener.onTrouble(asTrouble(error), () => this.#openPreview());
    }
    this.#showSource();
  }

  #reopenPreview() {
    saveSettings(this.settings);
    if (this.preview) this.#openPreview();
  }

  #closePreview() {
    this.preview?.close();
    this.preview = null;
    find("preview-video", HTMLVideoElement).srcObject = null;
    this.#showSource();
  }

  async #fillDevices() {
    const cameras = await listCameras();
    this.device.replaceChildren(...cameras.map(({ deviceId, label }) => build("option", { value: deviceId }, label)));
    const current = this.preview?.track.getSettings().deviceId ?? this.settings.device;
    if (cameras.some(({ deviceId }) => deviceId === current)) this.device.value = current;
    this.#showSource();
  }

  /** @param {string} name */
  #radios(name) {
    return this.form.querySelectorAll(/** @type {"input"} */ (`input[name="${name}"]`));
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  #check(name, value) {
    for (const input of this.#radios(name)) input.checked = input.value === value;
  }
}
