/**
 * How to show the picture in OBS, step by step, in the words of OBS's own windows.
 * @module obs
 */

/** @typedef {{id: string, name: string, value: string}} Field Something to copy. */
/** @typedef {{text: string, field?: Field}} Step */

/** What a media source needs for the least delay: FFmpeg waits for nothing, and looks at little before it begins. */
const OPTIONS = "fflags=nobuffer flags=low_delay probesize=32768 analyzeduration=0";

/**
 * @param {"browser" | "media"} source What the person's OBS has.
 * @param {string} viewUrl
 * @param {string} feedUrl
 * @param {{width: number, height: number}} size Of the picture.
 * @returns {{steps: Step[], about: string}}
 */
export function obsSteps(source, viewUrl, feedUrl, { width, height }) {
  if (source === "browser") {
    return {
      steps: [
        { text: "Under Sources, press + and choose Browser." },
        { text: "URL", field: { id: "obs-view", name: "URL", value: viewUrl } },
        { text: `Width ${width}, Height ${height}` },
      ],
      about: "No Browser in OBS's list? Then choose the other way above.",
    };
  }
  return {
    steps: [
      { text: "Under Sources, press + and choose Media Source." },
      { text: "Untick Local File." },
      { text: "Move Network Buffering to 0 MB." },
      { text: "Input", field: { id: "obs-feed", name: "Input", value: feedUrl } },
      { text: "Input Format", field: { id: "obs-format", name: "Input Format", value: "mpegts" } },
      { text: "Move Reconnect Delay to 1 s, and untick Use hardware decoding." },
      { text: "FFmpeg Options", field: { id: "obs-options", name: "FFmpeg Options", value: OPTIONS } },
    ],
    about: "The picture comes about 0.4 seconds later this way. Without these settings it is almost a second.",
  };
}
