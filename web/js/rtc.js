/**
 * The WebRTC connection: one peer connection that sends the camera and brings back the finished picture, and a
 * receive-only one for viewers. Tuned for a short delay on one machine: no ICE servers, no jitter buffer to speak of.
 * @module rtc
 */

/** @typedef {(offer: string) => Promise<string>} Signal Exchanges an SDP offer for an answer. */

const GATHERING_MS = 2000;

/** Highest bit rate by lines of the picture, bits a second. */
const BITRATE = Object.freeze({ small: 1_500_000, large: 4_000_000 });

/**
 * Send a track and receive one back; the sound only goes out.
 * @param {MediaStreamTrack} track The camera or the clip.
 * @param {MediaStreamTrack | undefined} sound The microphone, if there is one.
 * @param {360 | 720} height Lines to send; a taller source is scaled down.
 * @param {Signal} signal
 * @returns {Promise<{pc: RTCPeerConnection, remote: MediaStream}>}
 */
export async function connect(track, sound, height, signal) {
  track.contentHint = "motion";
  const pc = new RTCPeerConnection({ iceServers: [] });
  try {
    const transceiver = pc.addTransceiver(track, { direction: "sendrecv" });
    preferCodecs(transceiver);
    if (sound) pc.addTransceiver(sound, { direction: "sendonly" });
    await negotiate(pc, signal);
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
 * @returns {Promise<{pc: RTCPeerConnection, remote: MediaStream}>}
 */
export async function watch(signal) {
  const pc = new RTCPeerConnection({ iceServers: [] });
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
 * @returns {Promise<RTCPeerConnection>}
 */
export async function give(stream, height, signal) {
  const pc = new RTCPeerConnection({ iceServers: [] });
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
 * @returns {Promise<void>}
 */
async function negotiate(pc, signal) {
  await pc.setLocalDescription();
  await gathered(pc);
  await pc.setRemoteDescription({ type: "answer", sdp: await signal(pc.localDescription?.sdp ?? "") });
}

/**
 * Wait until the offer names every local address; not for ever, since host addresses come at once.
 * @param {RTCPeerConnection} pc
 * @returns {Promise<void>}
 */
function gathered(pc) {
  if (pc.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHERING_MS);
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
