/**
 * The studio page: leads from the first screen to the live one and back.
 * @module main
 */

import { getNotice, getPersonas } from "./api.js";
import { download, recordingText } from "./keep.js";
import { LiveScreen } from "./live.js";
import { KeysPanel } from "./keys.js";
import { PeoplePanel } from "./people.js";
import { WORDS, clock } from "./phases.js";
import { ServiceWatch } from "./service.js";
import { LiveSession } from "./session.js";
import { loadSettings, saveSettings } from "./settings.js";
import { Setup } from "./setup.js";
import { asTrouble } from "./trouble.js";
import { find, hideBanner, say, showBanner } from "./ui.js";

/** @typedef {import("./api.js").Persona} Persona */
/** @typedef {import("./api.js").SessionChange} SessionChange */
/** @typedef {import("./session.js").Snapshot} Snapshot */
/** @typedef {import("./session.js").Summary} Summary */
/** @typedef {import("./source.js").Source} Source */
/** @typedef {import("./trouble.js").Trouble} Trouble */
/** @typedef {"setup" | "opening" | "live" | "lost"} Place Where the person is. */

/** Holds the two screens and the one session between them. */
class Studio {
  constructor() {
    this.settings = loadSettings(location.search);
    this.setup = new Setup(this.settings, {
      onGo: () => this.goLive(),
      onTrouble: (trouble, again) => this.explain(trouble, again),
    });
    this.screen = new LiveScreen({
      onStop: () => this.stop(),
      onAgain: () => this.goLive(),
      onResume: () => this.change({ resume: true }),
      onPersona: (persona) => this.change({ persona: persona.id }),
      onOthers: (others) => this.change({ others }),
      onTone: (tone) => this.change({ tone }),
      onSound: (sound) => this.change({ sound }),
      onRecord: (on) => this.record(on),
      onSnapshot: () => this.keepPicture(),
      onLook: (look) => this.remember(look),
    });
    this.people = new PeoplePanel();
    this.keys = new KeysPanel(() => this.setup.agreed());
    this.service = new ServiceWatch((ready, hint) => {
      if (this.place === "setup") this.setup.setButton(ready ? "idle" : "warming", hint);
    });
    /** @type {Place} */
    this.place = "setup";
    /** @type {Persona[]} */
    this.personas = [];
    /** @type {LiveSession | null} */
    this.session = null;
    /** @type {Source | null} */
    this.source = null;
    /** @type {Snapshot | null} */
    this.snapshot = null;
    /** @type {Summary | null} */
    this.summary = null;
    /** Counts attempts, so that a late answer to a cancelled one is recognised. */
    this.attempt = 0;
    /** Changes go out one after the other, so that the newest one stands. */
    this.changes = Promise.resolve();

    addEventListener("pagehide", () => this.release());
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.stop();
    });
  }

  /** Fetch what the first screen shows. */
  async load() {
    this.service.start();
    try {
      const [notice, personas] = await Promise.all([getNotice(), getPersonas()]);
      this.personas = personas;
      this.setup.fill(notice, personas);
      this.screen.fill(personas);
    } catch (error) {
      showBanner(asTrouble(error), { label: "Try again", run: () => this.load() });
    }
  }

  /** Open the source and the session. Pressed again after a loss, it uses the consent of the same sitting. */
  async goLive() {
    const attempt = ++this.attempt;
    this.place = "opening";
    this.setup.setButton("busy");
    try {
      const source = await this.setup.takeSource();
      if (attempt !== this.attempt) return source.close();
      this.source = source;
      this.enterLive(source);
      const order = { source, settings: this.settings, notice: this.setup.noticeId };
      const session = await LiveSession.open(order, this.screen.videos, {
        onSnapshot: (snapshot) => this.show(snapshot),
        onLost: (trouble) => this.lose(trouble),
      });
      if (attempt !== this.attempt) return session.close();
      this.session = session;
      this.place = "live";
      this.screen.opened(session.answer);
    } catch (error) {
      if (attempt !== this.attempt) return;
      // Nothing was sent, so the consent that was just given still stands.
      this.leaveLive({ keepConsent: true });
      this.explain(asTrouble(error), () => this.goLive());
    }
  }

  /** @param {Snapshot} snapshot */
  show(snapshot) {
    this.snapshot = snapshot;
    this.screen.show(snapshot);
    this.title(WORDS[snapshot.phase].label);
  }

  /**
   * Change the running session; a refused change is taken back on the screen.
   * @param {SessionChange} change
   */
  change(change) {
    const { session } = this;
    if (!session) return;
    this.changes = this.changes.then(async () => {
      try {
        await session.change(change);
        if (change.persona) this.settings.persona = change.persona;
        if (change.others) this.settings.others = change.others;
        if (change.tone !== undefined) this.settings.tone = change.tone;
        saveSettings(this.settings);
      } catch (error) {
        if (this.session !== session) return;
        showBanner(asTrouble(error));
        this.screen.choose(this.settings);
      }
    });
  }

  /**
   * Keep for the next visit how the page is arranged.
   * @param {Partial<import("./settings.js").Look>} look
   */
  remember(look) {
    Object.assign(this.settings, look);
    saveSettings(this.settings);
  }

  /**
   * Begin to record, or end the recording.
   * @param {boolean} on
   */
  async record(on) {
    const { session } = this;
    try {
      if (session) this.screen.keeper.show(await session.record(on));
    } catch (error) {
      if (this.session === session) showBanner(asTrouble(error));
    }
  }

  /** Save the newest picture as a file. */
  async keepPicture() {
    const { session } = this;
    try {
      if (session) download(await session.picture(), `livefake_${new Date().toISOString().slice(0, 19)}.jpg`.replaceAll(":", "-"));
    } catch (error) {
      if (this.session === session) showBanner(asTrouble(error));
    }
  }

  /**
   * The session ended by itself.
   * @param {Trouble} trouble
   */
  lose(trouble) {
    this.summary = this.session?.summary() ?? null;
    this.place = "lost";
    this.release();
    this.screen.lose(trouble);
    this.title(WORDS.lost.label);
  }

  /** The person pressed Stop. */
  stop() {
    const summary = this.session?.summary() ?? this.summary;
    this.leaveLive({ keepConsent: false });
    this.summarise(summary);
  }

  /** @param {Source} source */
  enterLive(source) {
    this.service.stop();
    this.setup.hide();
    hideBanner();
    this.screen.begin(source, this.settings);
    this.title(WORDS.connecting.label);
  }

  /** @param {{keepConsent: boolean}} options */
  leaveLive({ keepConsent }) {
    this.attempt += 1;
    this.place = "setup";
    this.summary = null;
    this.release();
    hideBanner();
    this.screen.end();
    this.setup.setButton("idle");
    this.setup.show(this.settings, keepConsent);
    this.title("");
    this.load();
  }

  /** Free the camera and end the session, whatever state both are in. */
  release() {
    this.session?.close();
    this.session = null;
    this.source?.close();
    this.source = null;
    this.snapshot = null;
  }

  /** @param {Summary | null} summary null: no picture ever came, so there is nothing to sum up. */
  summarise(summary) {
    const box = find("summary", HTMLElement);
    box.hidden = summary === null;
    if (summary) {
      const parts = [`${(summary.report?.frames.swapped ?? 0).toLocaleString("en")} pictures swapped`];
      if (summary.delayMs !== null) parts.push(`median delay ${summary.delayMs.toFixed(0)} ms`);
      if (summary.fps !== null) parts.push(`${summary.fps.toFixed(0)} frames a second`);
      say(box, `You were live for ${clock(summary.seconds)}: ${parts.join(", ")}. Nothing is being sent any more. ${keptText(summary)}`.trim());
    }
    find("setup-title", HTMLElement).focus();
  }

  /**
   * @param {Trouble} trouble
   * @param {() => void} [again] What "Try again" does.
   */
  explain(trouble, again) {
    const actions = again ? [{ label: "Try again", run: again }] : [];
    if (again && trouble.code.startsWith("microphone")) {
      actions.push({ label: "Go on without sound", run: () => this.setup.microphone.choose("") });
    }
    if (trouble.code.startsWith("camera")) {
      actions.push({ label: "Use the built-in clip", run: () => this.setup.chooseSource("clip") });
    }
    showBanner(trouble, ...actions);
  }

  /** @param {string} state */
  title(state) {
    const name = state ? this.personas.find(({ id }) => id === this.settings.persona)?.title : "";
    document.title = [state, name, "livefake"].filter(Boolean).join(" · ");
  }

  /** What tests and scripts may read. */
  stats() {
    const { snapshot } = this;
    return Object.freeze({
      state: this.place === "live" ? (snapshot?.phase ?? "connecting") : this.place,
      delayMs: snapshot?.delayMs ?? null,
      fps: snapshot?.fps ?? 0,
      localFrames: snapshot?.localFrames ?? 0,
      remoteFrames: snapshot?.remoteFrames ?? 0,
      width: snapshot?.width ?? 0,
      height: snapshot?.height ?? 0,
    });
  }
}

/**
 * What became of the recording. One that ran until the end is signed when the page is no longer told about it.
 * @param {Summary} summary
 */
function keptText({ report }) {
  const recording = report?.recording;
  return recordingText(recording?.phase === "recording" ? { ...recording, phase: "finishing" } : recording);
}

const studio = new Studio();
Object.defineProperty(window, "livefake", { value: Object.freeze({ stats: () => studio.stats() }) });
studio.load();
