/**
 * Where the picture comes from: the camera or the built-in clip.
 * @module source
 */

import { Trouble } from "./trouble.js";

/** @typedef {import("./api.js").SourceKind} SourceKind */
/**
 * @typedef {object} Source An open source.
 * @property {SourceKind} kind
 * @property {MediaStreamTrack} track
 * @property {MediaStreamTrack} [sound] The microphone, where one was chosen.
 * @property {() => void} close Ends the track and frees the device.
 */

const CLIP = "/demo/performer.mp4";
const RATE = 30;

/**
 * Open the camera. Asks for permission where it was not given yet.
 * @param {string} device Device id; empty for the browser's choice. One that is gone falls back to that choice.
 * @param {360 | 720} height Wanted lines; the width follows at 16:9.
 * @param {30 | 60} rate Wanted frames a second; a camera that has no such rate gives the nearest it has.
 * @returns {Promise<Source>}
 * @throws {Trouble} No permission, no camera, or a camera that is in use.
 */
export async function openCamera(device, height, rate) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Trouble(
      "This page may not use the camera.",
      "Browsers allow cameras only on localhost or over https: open livefake at http://127.0.0.1 on the same machine.",
      "camera-insecure",
    );
  }
  /** @type {MediaTrackConstraints} */
  const wanted = { width: { ideal: (height * 16) / 9 }, height: { ideal: height }, frameRate: { ideal: rate } };
  if (device) wanted.deviceId = { ideal: device };
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    const [track] = stream.getVideoTracks();
    if (!track) throw new DOMException("", "NotFoundError");
    return { kind: "camera", track, close: () => track.stop() };
  } catch (error) {
    throw cameraTrouble(error instanceof DOMException ? error.name : "");
  }
}

/**
 * Open the front camera and the microphone, for a check of the person in front of them.
 * @returns {Promise<MediaStream>}
 * @throws {Trouble} No permission, or one of them is missing or in use.
 */
export async function openPerson() {
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
    throw new Trouble(
      "This page may not use the camera here, because it was not opened over HTTPS.",
      "Ask for a link that begins with https, or open this one on the computer where livefake runs.",
      "camera-insecure",
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: RATE } },
      audio: { echoCancellation: true, channelCount: { ideal: 1 } },
    });
  } catch (error) {
    throw personTrouble(error instanceof DOMException ? error.name : "");
  }
}

/**
 * Cameras by name. Browsers tell names only after permission was given; before that the list is empty.
 * @returns {Promise<MediaDeviceInfo[]>}
 */
export async function listCameras() {
  if (!navigator.mediaDevices?.enumerateDevices) return [];
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter(({ kind, label }) => kind === "videoinput" && label !== "");
}

/**
 * Play the built-in clip, silently and for ever, as if it were a camera.
 * @returns {Promise<Source>}
 * @throws {Trouble} The clip cannot be played here.
 */
export async function openClip() {
  const video = document.createElement("video");
  video.loop = true;
  video.muted = true;
  video.playsInline = true;
  video.src = CLIP;
  try {
    await video.play();
  } catch {
    throw new Trouble("The built-in clip could not be played.", "Use your camera, or another browser.", "clip");
  }
  const { stream, stop } = capture(video);
  const [track] = stream.getVideoTracks();
  if (!track) throw new Trouble("This browser cannot send the built-in clip.", "Use your camera instead.", "clip");
  return {
    kind: "clip",
    track,
    close: () => {
      stop();
      for (const one of stream.getTracks()) one.stop();
      video.pause();
      video.removeAttribute("src");
      video.load();
    },
  };
}

/**
 * Turn a playing video into a stream with whatever this browser offers.
 * @param {HTMLVideoElement & {captureStream?: () => MediaStream, mozCaptureStream?: () => MediaStream}} video
 * @returns {{stream: MediaStream, stop: () => void}}
 */
function capture(video) {
  const native = video.captureStream ?? video.mozCaptureStream;
  if (native) return { stream: native.call(video), stop: () => undefined };

  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext("2d", { alpha: false });
  const timer = setInterval(() => context?.drawImage(video, 0, 0), 1000 / RATE);
  return { stream: canvas.captureStream(RATE), stop: () => clearInterval(timer) };
}

/**
 * @param {string} name Name of the browser's exception.
 * @returns {Trouble}
 */
function cameraTrouble(name) {
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return new Trouble(
        "The browser did not allow the camera.",
        "Allow the camera for this page (the camera sign in the address bar), then try again.",
        "camera-denied",
      );
    case "NotFoundError":
    case "OverconstrainedError":
      return new Trouble(
        "No camera was found.",
        "Plug one in and try again, or use the built-in clip.",
        "camera-missing",
      );
    case "NotReadableError":
    case "AbortError":
      return new Trouble(
        "The camera is there but does not start.",
        "Close other programs that use it, then try again.",
        "camera-busy",
      );
    default:
      return new Trouble("The camera could not be opened.", "Try again, or use the built-in clip.", "camera");
  }
}

/**
 * @param {string} name Name of the browser's exception.
 * @returns {Trouble}
 */
function personTrouble(name) {
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return new Trouble(
        "The browser did not allow the camera and the microphone.",
        "Allow both for this page (the sign in the address bar), then try again.",
        "camera-denied",
      );
    case "NotFoundError":
    case "OverconstrainedError":
      return new Trouble(
        "No camera or no microphone was found.",
        "Plug in what is missing, or open this link on a phone.",
        "camera-missing",
      );
    case "NotReadableError":
    case "AbortError":
      return new Trouble(
        "The camera or the microphone is there but does not start.",
        "Close other programs that use it, then try again.",
        "camera-busy",
      );
    default:
      return new Trouble("Camera and microphone could not be opened.", "Try again, or use another device.", "camera");
  }
}
