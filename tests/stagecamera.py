"""A camera and a microphone inside the browser, played by the performer who does what the page asks.

Chromium's own fake camera plays a file from its beginning and cannot wait for a prompt. So the page gets another
``getUserMedia``, which draws the pieces of the clip as the page's prompts come, with a person's sway and a camera's
noise, and speaks syllables while the code is to be read. Nothing else of the page or the service is touched.
"""

from __future__ import annotations

import base64
import json

import cv2

from livefake.trust.prompts import Prompt
from tests.puppet import CALM, FPS, PIECES, pictures

__all__ = ["stage_camera"]

_SCRIPT = """
(() => {
  const sources = %(pictures)s, calm = %(calm)s, pieces = %(pieces)s, fps = %(fps)s;
  const load = (source) => new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.src = `data:image/jpeg;base64,${source}`;
  });
  const asked = () => document.getElementById("prompt")?.dataset.prompt;

  function speak(context, target) {
    const tone = new OscillatorNode(context, { type: "sawtooth", frequency: 160 });
    const loud = new GainNode(context, { gain: 0 });
    tone.connect(loud).connect(target);
    tone.start();
    return (on) => loud.gain.setValueAtTime(on ? 0.4 : 0, context.currentTime);
  }

  navigator.mediaDevices.getUserMedia = async () => {
    const images = await Promise.all(sources.map(load));
    const shown = document.createElement("canvas");
    [shown.width, shown.height] = [640, 480];
    const draw = shown.getContext("2d");
    const grain = Array.from({ length: 8 }, () => {
      const tile = new OffscreenCanvas(640, 480), context = tile.getContext("2d");
      const data = context.createImageData(640, 480);
      for (let at = 0; at < data.data.length; at += 4) {
        data.data.fill(Math.random() * 255, at, at + 3);
        data.data[at + 3] = 8;
      }
      context.putImageData(data, 0, 0);
      return tile;
    });
    const context = new AudioContext(), target = context.createMediaStreamDestination();
    await context.resume();
    const voice = speak(context, target);
    let count = 0, queue = [], prompt = "calm", since = 0;
    setInterval(() => {
      if (asked() !== prompt) {
        prompt = asked();
        since = count;
        queue = [...calm.slice(0, 8), ...(pieces[prompt] ?? [])];
      }
      const spoken = (count - since) / fps - 0.6;
      voice(prompt === "read-code" && spoken > 0 && spoken < 2.6 && spoken %% 0.45 < 0.25);
      if (queue.length === 0) queue = [...calm];
      const time = count / fps, x = 9 * Math.sin(time * 0.83 + 1), y = 4.5 * Math.sin(time * 0.61 + 2);
      draw.setTransform(1, 0, 0, 1, 0, 0);
      draw.fillStyle = "#777";
      draw.fillRect(0, 0, 640, 480);
      draw.translate(320 + x, 240 + y);
      draw.rotate((x / 10) * (Math.PI / 180));
      draw.scale(1 + 0.03 * Math.sin(time * 0.7), 1 + 0.03 * Math.sin(time * 0.7));
      draw.drawImage(images[queue.shift()], -240, -240, 480, 480);
      draw.setTransform(1, 0, 0, 1, 0, 0);
      draw.drawImage(grain[count %% grain.length], 0, 0);
      count += 1;
    }, 1000 / fps);
    return new MediaStream([...shown.captureStream(fps).getVideoTracks(), ...target.stream.getAudioTracks()]);
  };
})();
"""


def stage_camera() -> str:
    """The script for a page, to run before its own."""
    encoded = []
    for picture in pictures():
        _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
        encoded.append(base64.b64encode(jpeg.tobytes()).decode())
    return _SCRIPT % {
        "pictures": json.dumps(encoded),
        "calm": json.dumps(list(CALM)),
        "pieces": json.dumps({str(prompt): _held(prompt, piece) for prompt, piece in PIECES.items()}),
        "fps": FPS,
    }


def _held(prompt: Prompt, piece: range) -> list[int]:
    """Lids stay shut for as long as it takes to count to one: a busy machine may look five times a second only."""
    times = 3 if prompt is Prompt.BLINK else 1
    return [number for number in piece for _ in range(times)]
