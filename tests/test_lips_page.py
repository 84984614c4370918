"""How long the clean page lets pictures wait for their sound: its arithmetic, run by Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from livefake.resources import web_folder

NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(NODE is None, reason="there is no Node.js; on Debian: apt install nodejs")


def run(folder: Path, script: str) -> object:
    """What a script prints that has the page's module as ``lips``."""
    assert NODE is not None
    module = folder / "lips.mjs"
    module.write_bytes((web_folder() / "js" / "lips.js").read_bytes())
    code = f"const lips = await import({json.dumps(module.as_uri())}); {script}"
    done = subprocess.run([NODE, "--input-type=module", "-e", code], capture_output=True, check=True, text=True)
    return json.loads(done.stdout)


def test_pictures_wait_for_late_sound_until_both_are_together(tmp_path: Path) -> None:
    script = """
        const delay = new lips.LipDelay(), seen = [];
        for (let look = 0; look < 60; look += 1) {
          const late = (look < 30 ? 200 : 90) - delay.target;
          delay.see(look % 3 ? late : 5000);
          seen.push(late);
        }
        console.log(JSON.stringify(seen));
    """
    seen = run(tmp_path, script)
    assert isinstance(seen, list)
    assert abs(seen[12]) < 60, "together after six seconds, a wrong look in three notwithstanding"
    assert abs(seen[29]) < 30
    assert -110 <= seen[30] <= -80, "sound that comes sooner again is early at first"
    assert abs(seen[59]) < 30


def test_early_sound_and_nonsense_delay_no_picture(tmp_path: Path) -> None:
    script = """
        const early = new lips.LipDelay(), far = new lips.LipDelay();
        for (let look = 0; look < 30; look += 1) { early.see(-100); far.see(9000); }
        console.log(JSON.stringify([early.target, far.target]));
    """
    assert run(tmp_path, script) == [0, 400]


def test_lateness_is_what_the_browser_tells_of_both(tmp_path: Path) -> None:
    script = """
        const sound = { type: "inbound-rtp", kind: "audio", estimatedPlayoutTimestamp: 1000 };
        const picture = { type: "inbound-rtp", kind: "video", estimatedPlayoutTimestamp: 1080 };
        const other = { type: "outbound-rtp", kind: "video", estimatedPlayoutTimestamp: 5 };
        const found = [[sound, other, picture], [sound], []].map((each) => lips.lateness(each));
        console.log(JSON.stringify(found));
    """
    assert run(tmp_path, script) == [80, None, None]
