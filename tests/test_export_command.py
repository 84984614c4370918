"""``livefake export`` where it cannot work: one sentence and what to do."""

from __future__ import annotations

import sys

import pytest

from livefake.cli.export import export
from livefake.errors import LivefakeError


def test_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "livefake.training.bundle", None)
    with pytest.raises(LivefakeError, match=r"needs PyTorch, onnx and onnxruntime .* pip install 'livefake\[export\]'"):
        export()
