/**
 * The WebRTC connection: one peer connection that sends the camera and brings back the finished picture, and a
 * receive-only one for viewers. Tuned for a short delay: no jitter buffer to speak of.
 * @module rtc
 */

/** @typedef {(offer: string) => Promise<string>} Signal Exchanges an SDP offer for an answer. */
/** @typedef {(fragment: string) => Promise<void>} Trickle Tells candidates found later (RFC 8840). */

const GATHERING_MS = 2000;
/** With trickle ICE the offer goes out with what is found by then: on one network that is everything. */
const FIRST_MS = 80;

/** Highest bit rate by lines of the picture, bits a second. */
const BITRATE = Object.freeze({ small: 1_500_000, large: 4_000_000 });

/**
 * Send a track and receive one back; the sound only goes out.
 * @param {MediaStreamTrack} track The camera or the clip.
 * @param {MediaStreamTrack | undefined} sound The microphone, if there is one.
 * @param {360 | 720} height Lines to send; a taller source is scaled down.
 * @param {Signal} signal
 * @param {RTCConfiguration} ice How to find a path to the server.
 * @param {Trickle} trickle Works once the offer was answered.
 * @returns {Promise<{pc: RTCPeerConnection, remote: MediaStream}>}
 */
export async function connect(track, sound, height, signal, ice, trickle) {
  track.contentHint = "motion";
  const pc = new RTCPeerConnection(ice);
  try {
    const transceiver = pc.addTransceiver(track, { direction: "sendrecv" });
    preferCodecs(transceiver);
    if (sound) pc.addTransceiver(sound, { direction: "sendonly" });
    const later = laterCandidates(pc, trickle);
    await negotiate(pc, signal, FIRST_MS);
    later();
    await tuneSender(transceiver.sender, track.getSettings().height ?? height, height);
    keepShort(transceiver.receiver);
    return { pc, remote: new MediaStream([transceiver.receiver.track]) };
  } catch (error) {
    pc.close();
    throw error;
  }
}

/**
 * Receive a picture, and its sound where it has one, without sending any.
 * @param {Signal} signal
 * @param {RTCConfiguration} ice How to find a path to the server.
 * @returns {Promise<{pc: RTCPeerConnection, remote: MediaStream}>}
 */
export async function watch(signal, ice) {
  const pc = new RTCPeerConnection(ice);
  try {
    const transceiver = pc.addTransceiver("video", { direction: "recvonly" });
    preferCodecs(transceiver);
    const sound = pc.addTransceiver("audio", { direction: "recvonly" });
    await negotiate(pc, signal);
    const heard = [transceiver, sound].filter(({ currentDirection }) => currentDirection === "recvonly");
    for (const { receiver } of heard) keepShort(receiver);
    return { pc, remote: new MediaStream(heard.map(({ receiver }) => receiver.track)) };
  } catch (error) {
    pc.close();
    throw error;
  }
}

/**
 * Send a camera and a microphone, and receive nothing.
 * @param {MediaStream} stream One picture and one sound track.
 * @param {360 | 720} height Lines to send.
 * @param {Signal} signal
 * @param {RTCConfiguration} ice How to find a path to the server.
 * @returns {Promise<RTCPeerConnection>}
 */
export async function give(stream, height, signal, ice) {
  const pc = new RTCPeerConnection(ice);
  try {
    for (const track of stream.getTracks()) {
      const transceiver = pc.addTransceiver(track, { direction: "sendonly", streams: [stream] });
      if (track.kind !== "video") continue;
      track.contentHint = "motion";
      preferCodecs(transceiver);
      await tuneSender(transceiver.sender, track.getSettings().height ?? height, height);
    }
    await negotiate(pc, signal);
    return pc;
  } catch (error) {
    pc.close();
    throw error;
  }
}

/**
 * @param {RTCPeerConnection} pc
 * @param {Signal} signal
 * @param {number} [patience] Milliseconds to gather addresses before the offer goes out.
 * @returns {Promise<void>}
 */
async function negotiate(pc, signal, patience = GATHERING_MS) {
  await pc.setLocalDescription();
  await gathered(pc, patience);
  await pc.setRemoteDescription({ type: "answer", sdp: await signal(pc.localDescription?.sdp ?? "") });
}

/**
 * Collect the candidates that are found from now on.
 * @param {RTCPeerConnection} pc
 * @param {Trickle} trickle
 * @returns {() => void} To be called once the offer was answered: tells what was found, and goes on telling.
 */
function laterCandidates(pc, trickle) {
  /** @type {string[]} */
  let found = [];
  let end = false;
  let open = false;
  const tell = () => {
    if (!open || (found.length === 0 && !end)) return;
    const offer = pc.localDescription?.sdp ?? "";
    const lines = ["ice-ufrag", "ice-pwd", "mid"].map((name) => new RegExp(`^a=${name}:.*$`, "m").exec(offer)?.[0] ?? "");
    const [ufrag, pwd, mid] = lines.map((line) => line.trimEnd());
    const fragment = [ufrag, pwd, "m=video 9 UDP/TLS/RTP/SAVPF 0", mid, ...found.map((each) => `a=${each}`)];
    if (end) fragment.push("a=end-of-candidates");
    // The offer may have carried all that is needed; whether the connection stands tells more than a refusal here.
    trickle(`${fragment.join("\r\n")}\r\n`).catch(() => undefined);
    found = [];
  };
  pc.addEventListener("icecandidate", ({ candidate }) => {
    if (candidate?.candidate) found.push(candidate.candidate);
    else if (candidate === null) end = true;
    tell();
  });
  return () => {
    open = true;
    tell();
  };
}

/**
 * Wait until the offer names every local address; not for ever, since host addresses come at once.
 * @param {RTCPeerConnection} pc
 * @param {number} patience
 * @returns {Promise<void>}
 */
function gathered(pc, patience) {
  if (pc.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, patience);
    pc.addEventListener("icegatheringstatechange", () => {
      if (pc.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    });
  });
}

/**
 * H264 first, then VP8: both are cheap to decode and encode on the server. Retransmission stays on.
 * @param {RTCRtpTransceiver} transceiver
 * @returns {void}
 */
function preferCodecs(transceiver) {
  const order = ["video/h264", "video/vp8", "video/rtx"];
  const known = RTCRtpReceiver.getCapabilities?.("video")?.codecs ?? [];
  const wanted = order.flatMap((type) => known.filter(({ mimeType }) => mimeType.toLowerCase() === type));
  if (wanted.length > 0 && "setCodecPreferences" in transceiver) transceiver.setCodecPreferences(wanted);
}

/**
 * Keep the size of the picture when the line gets narrow: the face must stay large enough to be found.
 * @param {RTCRtpSender} sender
 * @param {number} sourceHeight
 * @param {360 | 720} height
 * @returns {Promise<void>}
 */
async function tuneSender(sender, sourceHeight, height) {
  const parameters = sender.getParameters();
  const [encoding] = parameters.encodings;
  if (!encoding) return;
  encoding.maxBitrate = height <= 360 ? BITRATE.small : BITRATE.large;
  encoding.scaleResolutionDownBy = Math.max(1, sourceHeight / height);
  parameters.degradationPreference = "maintain-resolution";
  try {
    await sender.setParameters(parameters);
  } catch {
    // Some browsers refuse single parameters. The connection works with their defaults, only less evenly.
  }
}

/**
 * Show frames as soon as they are complete.
 * @param {RTCRtpReceiver & {jitterBufferTarget?: number | null}} receiver
 * @returns {void}
 */
function keepShort(receiver) {
  if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
}
