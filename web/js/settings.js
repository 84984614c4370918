/**
 * What the page remembers between visits. Consent is not among it, on purpose: it is asked for every time.
 * @module settings
 */

/** @typedef {import("./api.js").SourceKind} SourceKind */
/** @typedef {import("./api.js").Others} Others */
/**
 * @typedef {object} Look How the live screen is arranged.
 * @property {"large" | "split"} layout The output large, or preview and output side by side.
 * @property {"browser" | "media"} obs Source that the person's OBS has.
 * @property {boolean} outputs Are the outputs unfolded?
 */
/**
 * @typedef {object} Choices
 * @property {string} persona
 * @property {SourceKind} source
 * @property {Others} others
 * @property {number} tone Skin tone: 0 the performer's, 1 the persona's.
 * @property {string} device Device id of the camera; empty for the browser's choice.
 * @property {string} microphone Device id of the microphone; empty for none.
 * @property {360 | 720} height Lines of the picture that is sent.
 * @property {30 | 60} rate Frames a second that the camera is asked for.
 */
/** @typedef {Choices & Look} Settings */

const KEY = "livefake.settings";

/** @type {Readonly<Settings>} */
const DEFAULTS = Object.freeze({
  persona: "",
  source: "camera",
  others: "blur",
  tone: 0,
  device: "",
  microphone: "",
  height: 720,
  rate: 30,
  layout: "large",
  obs: "browser",
  outputs: true,
});

/**
 * Read what was remembered; anything missing or no longer valid takes its default.
 * @param {string} query The page's query string: `source=clip` wins over what was remembered.
 * @returns {Settings}
 */
export function loadSettings(query) {
  const stored = read();
  const asked = new URLSearchParams(query).get("source");
  return {
    persona: typeof stored.persona === "string" ? stored.persona : DEFAULTS.persona,
    source: oneOf(asked, ["camera", "clip"]) ?? oneOf(stored.source, ["camera", "clip"]) ?? DEFAULTS.source,
    others: oneOf(stored.others, ["blur", "leave", "swap"]) ?? DEFAULTS.others,
    tone: typeof stored.tone === "number" && stored.tone >= 0 && stored.tone <= 1 ? stored.tone : DEFAULTS.tone,
    device: typeof stored.device === "string" ? stored.device : DEFAULTS.device,
    microphone: typeof stored.microphone === "string" ? stored.microphone : DEFAULTS.microphone,
    height: stored.height === 360 ? 360 : DEFAULTS.height,
    rate: stored.rate === 60 && stored.height !== 360 ? 60 : DEFAULTS.rate,
    layout: oneOf(stored.layout, ["large", "split"]) ?? DEFAULTS.layout,
    obs: oneOf(stored.obs, ["browser", "media"]) ?? DEFAULTS.obs,
    outputs: typeof stored.outputs === "boolean" ? stored.outputs : DEFAULTS.outputs,
  };
}

/**
 * @param {Settings} settings
 * @returns {void}
 */
export function saveSettings(settings) {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Storage may be switched off or full. Everything works without it.
  }
}

/** @returns {Record<string, unknown>} */
function read() {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return stored !== null && typeof stored === "object" ? stored : {};
  } catch {
    return {};
  }
}

/**
 * @template {string} T
 * @param {unknown} value
 * @param {readonly T[]} allowed
 * @returns {T | undefined}
 */
const oneOf = (value, allowed) => allowed.find((one) => one === value);
