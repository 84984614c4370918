/**
 * The HTTP interface of the livefake server, one function a request.
 * @module api
 */

import { Trouble } from "./trouble.js";

/** @typedef {"blur" | "leave" | "swap"} Others What happens to faces other than the performer's. */
/** @typedef {"camera" | "clip"} SourceKind */
/** @typedef {"waiting" | "live" | "held" | "card" | "ended"} SessionState */
/** @typedef {{version: string, ready: boolean, capacity: number, open: number, engine: string}} ServiceStatus */
/** @typedef {{id: string, title: string, paragraphs: string[], tick: string}} Notice */
/** @typedef {{id: string, title: string, kind: string, description: string, portrait: string}} Persona */
/** @typedef {{p50_ms: number, p95_ms: number, cpu_ms: number}} Timing */
/** @typedef {{arrived: number, swapped: number, held: number, carded: number, dropped: number}} FrameCounts */
/** @typedef {"recording" | "finishing" | "saved" | "failed"} RecordingPhase */
/** @typedef {{phase: RecordingPhase, seconds: number, bytes: number, problem: string, file: string}} Recording */
/** @typedef {{present: boolean, muted: boolean, offset_ms: number, level: number, video_delay_ms: number}} SoundReport */
/**
 * @typedef {object} SessionReport
 * @property {string} id
 * @property {SessionState} state
 * @property {string} reason
 * @property {boolean} needs_resume
 * @property {string} persona
 * @property {number} source_fps
 * @property {number} shown_fps
 * @property {number} width
 * @property {number} height
 * @property {FrameCounts} frames
 * @property {Timing} frame
 * @property {Record<string, Timing>} stages
 * @property {number} server_ms Median from a frame's arrival to its showing, milliseconds.
 * @property {string} quality What the swap runs with, in words.
 * @property {number} steps_down How many steps of quality are given up.
 * @property {Recording | null} recording The latest one.
 * @property {{read: number, missed: number, early: number, skipped: number}} mark
 * @property {SoundReport} sound
 */
/**
 * @typedef {object} SessionRequest
 * @property {string} sdp
 * @property {string} persona
 * @property {{notice: string, accepted: true}} consent
 * @property {SourceKind} source
 * @property {Others} others
 * @property {number} tone Skin tone: 0 the performer's, 1 the persona's.
 */
/** @typedef {"push" | "virtual-camera" | "recording"} OutputKind */
/**
 * @typedef {object} SessionAnswer
 * @property {string} id
 * @property {string} sdp
 * @property {string} view_url A page with the picture alone.
 * @property {string} whep_url For players that speak WHEP.
 * @property {string} feed_url A transport stream.
 * @property {string} persona
 * @property {OutputKind[]} outputs What can be added.
 */
/**
 * @typedef {object} OutputEntry
 * @property {string} id
 * @property {OutputKind} kind
 * @property {string} place Where the pictures go, for people.
 * @property {"starting" | "running" | "waiting" | "stopped"} state
 * @property {number} frames
 * @property {number} dropped
 * @property {number} fps
 * @property {number} bitrate Bits a second.
 * @property {number} delay_ms
 * @property {number} restarts
 * @property {string} problem
 */
/** @typedef {{persona?: string, others?: Others, tone?: number, resume?: true, sound?: {muted?: boolean, offset_ms?: number}}} SessionChange */
/** @typedef {"train" | "wear"} Purpose */
/** @typedef {"live" | "recording" | "virtual-camera" | "file"} Output */
/** @typedef {{purposes: Purpose[], outputs: Output[], days: number}} Scope What a grant allows. */
/** @typedef {{url: string, qr: string}} Link A secret link and its QR code, the address of a picture. */
/** @typedef {{link: Link, until: number}} Invitation */
/**
 * @typedef {object} GrantEntry
 * @property {string} id
 * @property {string} subject
 * @property {"holds" | "revoked" | "expired" | "void" | "damaged"} state
 * @property {string} reason
 * @property {number | null} since Seconds since 1970.
 * @property {number | null} until Seconds since 1970.
 * @property {string[]} packs
 */
/** @typedef {Scope & {tries: number, until: number, notice: Notice}} InvitationText */
/** @typedef {{index: number, of: number, prompt: string | null, hint: string, left_ms: number, code: string | null}} CheckStep */
/**
 * @typedef {object} CheckState
 * @property {"watching" | "passed" | "refused"} state
 * @property {CheckStep} step
 * @property {string} problem
 * @property {string} remedy
 * @property {number} tries
 */
/** @typedef {{check: string, sdp: string, state: CheckState}} CheckBegun */
/**
 * @typedef {object} OwnGrant
 * @property {string} id
 * @property {string} subject
 * @property {"holds" | "revoked" | "expired" | "void"} state
 * @property {string} reason
 * @property {Purpose[]} purposes
 * @property {Output[]} outputs
 * @property {number} since
 * @property {number} until
 * @property {number | null} revoked_at
 * @property {string[]} packs
 * @property {Record<string, string | number>} evidence
 */

/** @typedef {"yes" | "no" | "unknown" | "alarm"} Verdict */
/**
 * @typedef {object} Examined What can be said about a file.
 * @property {string} summary
 * @property {{question: string, verdict: Verdict, sentence: string}[]} answers
 * @property {{
 *   present: boolean, payload: string | null, issuer: {number: string} | null, session: number | null, score: number,
 *   frames: number, places: {looked_at: number, marked: number}
 * }} mark
 * @property {{distance: number} | null} fingerprint
 * @property {{state: string}} c2pa
 */

/**
 * @typedef {object} KeyOrder
 * @property {string} persona
 * @property {{notice: string, accepted: true}} consent
 * @property {Others} others
 * @property {number} tone
 * @property {number} minutes How long the key holds.
 */
/**
 * @typedef {object} KeyEntry
 * @property {string} id
 * @property {string} persona
 * @property {number} left_s
 * @property {string | null} session
 * @property {string | null} view_url
 * @property {string[]} problems
 */

/** @returns {Promise<ServiceStatus>} */
export const getStatus = () => json("GET", "/api/status");

/** @returns {Promise<Notice>} */
export const getNotice = () => json("GET", "/api/notice");

/**
 * How to find a path to the server.
 * @param {string} [path] Of whoever asks: a performer, a viewer or an invited person.
 * @returns {Promise<RTCConfiguration>}
 */
export async function getIce(path = "/api/ice") {
  const { ice_servers, relay_only } = await json("GET", path);
  return { iceServers: ice_servers, iceTransportPolicy: relay_only ? "relay" : "all" };
}

/** @param {string} key */
export const viewIcePath = (key) => `/whep/${encodeURIComponent(key)}/ice`;

/** @param {string} key */
export const enrolIcePath = (key) => enrolPath(key, "ice");

/** @returns {Promise<Persona[]>} */
export const getPersonas = () => json("GET", "/api/personas");

/**
 * @param {SessionRequest} request
 * @returns {Promise<SessionAnswer>}
 */
export const openSession = (request) => json("POST", "/api/sessions", request);

/**
 * @param {string} id
 * @returns {Promise<SessionReport>}
 */
export const getSession = (id) => json("GET", sessionPath(id));

/**
 * @param {string} id
 * @param {SessionChange} change
 * @returns {Promise<SessionReport>}
 */
export const changeSession = (id, change) => json("PATCH", sessionPath(id), change);

/**
 * Go on over another connection, under the consent that was given.
 * @param {string} id
 * @param {string} sdp The offer.
 * @returns {Promise<{sdp: string}>}
 */
export const reconnectSession = (id, sdp) => json("PUT", `${sessionPath(id)}/connection`, { sdp });

/**
 * Tell candidates that were found after the offer.
 * @param {string} id
 * @param {string} fragment See RFC 8840.
 * @returns {Promise<void>}
 */
export async function trickle(id, fragment) {
  const headers = { "Content-Type": "application/trickle-ice-sdpfrag" };
  await send("PATCH", `${sessionPath(id)}/connection`, { headers, body: fragment });
}

/**
 * Begin to record, or end the recording.
 * @param {string} id
 * @param {boolean} on
 * @returns {Promise<SessionReport>}
 */
export const recordSession = (id, on) => json(on ? "POST" : "DELETE", `${sessionPath(id)}/recording`);

/**
 * The newest picture, signed.
 * @param {string} id
 * @returns {Promise<Blob>}
 */
export async function takeSnapshot(id) {
  return (await send("POST", `${sessionPath(id)}/snapshot`)).blob();
}

/**
 * How every output of a session is doing.
 * @param {string} id
 * @returns {Promise<OutputEntry[]>}
 */
export const getOutputs = (id) => json("GET", `${sessionPath(id)}/outputs`);

/**
 * Start an output.
 * @param {string} id
 * @param {OutputKind} kind
 * @param {string} target An address, a name, or nothing, as the kind needs it.
 * @returns {Promise<OutputEntry>}
 */
export const addOutput = (id, kind, target) => json("POST", `${sessionPath(id)}/outputs`, { kind, target });

/**
 * End an output.
 * @param {string} id
 * @param {string} output
 * @returns {Promise<void>}
 */
export async function removeOutput(id, output) {
  await send("DELETE", `${sessionPath(id)}/outputs/${encodeURIComponent(output)}`);
}

/**
 * End a session. Also works while the page is being closed: the browser finishes the request on its own.
 * @param {string} id
 * @returns {Promise<void>}
 */
export async function closeSession(id) {
  await send("DELETE", sessionPath(id), { keepalive: true });
}

/**
 * Start watching a session as a viewer (WHEP).
 * @param {string} key Last part of the view address.
 * @param {string} offer SDP.
 * @returns {Promise<{sdp: string, location: string | null}>} The answer, and where to leave.
 */
export async function openView(key, offer) {
  const response = await send("POST", `/whep/${encodeURIComponent(key)}`, {
    headers: { "Content-Type": "application/sdp" },
    body: offer,
  });
  return { sdp: await response.text(), location: response.headers.get("Location") };
}

/**
 * Stop watching.
 * @param {string} location As given by {@link openView}.
 * @returns {Promise<void>}
 */
export async function closeView(location) {
  await send("DELETE", location, { keepalive: true });
}

/** @returns {Promise<KeyEntry[]>} */
export const getKeys = () => json("GET", "/api/keys");

/**
 * @param {KeyOrder} order
 * @returns {Promise<{key: string, url: string, entry: KeyEntry}>} The key is told this once.
 */
export const makeKey = (order) => json("POST", "/api/keys", order);

/**
 * Take a key back; whoever uses it is disconnected.
 * @param {string} id
 * @returns {Promise<void>}
 */
export async function revokeKey(id) {
  await send("DELETE", `/api/keys/${encodeURIComponent(id)}`);
}

/** @returns {Promise<GrantEntry[]>} */
export const getGrants = () => json("GET", "/api/grants");

/**
 * @param {Scope} scope
 * @returns {Promise<Invitation>}
 */
export const invite = (scope) => json("POST", "/api/invitations", scope);

/**
 * @param {string} key
 * @returns {Promise<InvitationText>}
 */
export const getInvitation = (key) => json("GET", enrolPath(key));

/**
 * @param {string} key
 * @param {{sdp: string, consent: {notice: string, accepted: true}, adult: true}} offer
 * @returns {Promise<CheckBegun>}
 */
export const beginCheck = (key, offer) => json("POST", enrolPath(key), offer);

/**
 * @param {string} key
 * @param {string} check
 * @returns {Promise<CheckState>}
 */
export const getCheck = (key, check) => json("GET", enrolPath(key, check));

/**
 * End a check. Also works while the page is being closed.
 * @param {string} key
 * @param {string} check
 * @returns {Promise<void>}
 */
export async function endCheck(key, check) {
  await send("DELETE", enrolPath(key, check), { keepalive: true });
}

/**
 * @param {string} key
 * @param {string} check
 * @param {Scope & {subject: string, sign: true}} signature
 * @returns {Promise<{grant: OwnGrant, link: Link}>}
 */
export const signGrant = (key, check, signature) => json("POST", `${enrolPath(key, check)}/signature`, signature);

/**
 * @param {string} key
 * @returns {Promise<OwnGrant>}
 */
export const getOwnGrant = (key) => json("GET", grantPath(key));

/**
 * @param {string} key
 * @returns {Promise<{at: number, packs: string[]}>}
 */
export const revokeGrant = (key) => json("POST", `${grantPath(key)}/revocation`);

/** @param {...string} parts */
const enrolPath = (...parts) => `/api/enrol/${parts.map(encodeURIComponent).join("/")}`;

/** @param {string} key */
export const grantPath = (key) => `/api/grant/${encodeURIComponent(key)}`;

/**
 * Hand a file in. Unlike fetch, XMLHttpRequest tells how much of it has been sent.
 * @param {File} file
 * @param {AbortSignal} signal
 * @param {(share: number) => void} onSent Told which part is sent, 0..1.
 * @returns {Promise<Examined>}
 * @throws {Trouble} The server cannot be reached, or refused.
 */
export function examine(file, signal, onSent) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/verify");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", ({ loaded, total }) => onSent(total ? loaded / total : 1));
    request.upload.addEventListener("load", () => onSent(1));
    request.addEventListener("error", () => reject(unreachable()));
    request.addEventListener("abort", () => reject(new Trouble("The file is not examined any more.")));
    request.addEventListener("load", async () => {
      const response = new Response(request.responseText, { status: request.status });
      if (response.ok) resolve(response.json());
      else reject(await refusal(response));
    });
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

/** @param {string} id */
const sessionPath = (id) => `/api/sessions/${encodeURIComponent(id)}`;

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @returns {Promise<any>} The parsed answer; its shape is what the caller's annotation says.
 */
async function json(method, path, body) {
  const content =
    body === undefined ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await send(method, path, content);
  return response.json();
}

/**
 * @param {string} method
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<Response>}
 * @throws {Trouble} The server cannot be reached, or refused; then with its own words.
 */
async function send(method, path, init = {}) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path, { method, credentials: "same-origin", cache: "no-store", ...init });
  } catch {
    throw unreachable();
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/** @returns {Trouble} */
const unreachable = () =>
  new Trouble("livefake does not answer.", "Check that the program is still running, then try again.", "offline");

/**
 * @param {Response} response
 * @returns {Promise<Trouble>}
 */
async function refusal(response) {
  const code = `http-${response.status}`;
  try {
    const { error } = await response.json();
    return new Trouble(error.problem, error.remedy, code);
  } catch {
    return new Trouble(`livefake answered with status ${response.status}.`, "Reload the page and try again.", code);
  }
}
