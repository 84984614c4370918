"""Rules of the house that no other tool checks."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import symtable
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest

import livefake.media
from livefake.errors import SealError
from livefake.frame import Frame
from livefake.swap.persona import list_personas
from livefake.trust.seal import Seal, Sealed
from tests.album import grey_frame

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "livefake").rglob("*.py"))
SEAL = ROOT / "livefake" / "trust" / "seal.py"
LONGEST = 400

each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())


def written(*folders: str) -> Iterator[Path]:
    """Every file of ours in these folders that is text."""
    for folder in folders:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".html", ".js", ".css", ".svg", ".toml", ".md"}:
                yield path


def makes_sealed(source: str) -> list[int]:
    """Lines that make a ``Sealed``, hide it under another name, or touch what lets it be made."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name("Sealed") | ast.Attribute(attr="Sealed")):
                lines.append(node.lineno)
            case ast.ImportFrom(names=names) if any(
                name.name == "_KEY" or (name.name == "Sealed" and name.asname) for name in names
            ):
                lines.append(node.lineno)
            case ast.Attribute(attr="_KEY") | ast.Assign(value=ast.Name("Sealed") | ast.Attribute(attr="Sealed")):
                lines.append(node.lineno)
    return lines


@pytest.mark.parametrize(
    "source",
    [
        "Sealed(frame, 1, False, None)",
        "seal.Sealed(frame, 1, False, None)",
        "def show():\n    return [trust.seal.Sealed()]",
        "from livefake.trust.seal import Sealed as Picture",
        "from livefake.trust.seal import _KEY",
        "key = seal._KEY",
        "Picture = seal.Sealed",
    ],
)
def test_the_search_for_seals_finds_them(source: str) -> None:
    assert makes_sealed(source)


def test_a_sealed_picture_cannot_be_used_to_seal_another() -> None:
    card = grey_frame()
    card.done |= {"card", "label", "watermark"}
    sealed = Seal(1).card(card)
    with pytest.raises(ValueError, match="key"):
        replace(sealed, frame=grey_frame())  # type: ignore[call-arg]
    assert not hasattr(sealed, "key")


def test_only_the_seal_makes_sealed_pictures() -> None:
    assert len(makes_sealed(SEAL.read_text("utf-8"))) == 1
    others = [path for path in [*MODULES, *(ROOT / "benchmarks").rglob("*.py")] if path != SEAL]
    assert len(others) > 60
    assert {path: lines for path in others if (lines := makes_sealed(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize("key", [None, object(), "key"])
def test_a_picture_sealed_elsewhere_is_refused(key: object) -> None:
    raw = Frame(np.zeros((96, 64), np.uint8), 0, 0)
    with pytest.raises(SealError, match="outside the seal"):
        Sealed(raw, 1, False, key)


def test_every_sink_takes_sealed_pictures_only() -> None:
    modules = [
        importlib.import_module(info.name)
        for info in pkgutil.walk_packages(livefake.media.__path__, f"{livefake.media.__name__}.")
    ]
    sinks = {
        kind
        for module in modules
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__ and hasattr(kind, "show")
    }
    assert {"Sink", "Screen", "TrackSink", "SealedTrack"} <= {kind.__name__ for kind in sinks}
    for sink in sinks:
        hints = get_type_hints(sink.show)
        hints.pop("return")
        assert list(inspect.signature(sink.show).parameters) == ["self", *hints]
        assert list(hints.values()) == [Sealed], sink


@each_module
def test_a_module_says_what_it_is_and_what_it_offers(path: Path) -> None:
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    assert ast.get_docstring(tree), "a docstring"
    symbols = symtable.symtable(source, str(path), "exec").get_symbols()
    there = {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}
    ours = {symbol.get_name() for symbol in symbols if symbol.is_assigned() and not symbol.is_imported()}
    public = {name for name in ours if not name.startswith("_")}
    listed = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and any(isinstance(name, ast.Name) and name.id == "__all__" for name in node.targets)
    ]
    if public or listed:
        assert len(listed) == 1, "one __all__"
        [offered] = listed
        assert set(offered) - there == set(), "names that are not there"
        assert len(set(offered)) == len(offered)


@each_module
def test_a_module_is_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST


def test_nothing_is_put_off() -> None:
    files = list(written("livefake", "web", "benchmarks"))
    assert len(files) > 80
    put_off = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    assert [path for path in files if put_off.search(path.read_text("utf-8"))] == []


class Inline(HTMLParser):
    """Collects what a strict content security policy forbids in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        if tag in {"style", "base"}:
            self.found.append(tag)
        for name, value in attrs:
            if name == "style" or name.startswith("on") or (value or "").strip().lower().startswith("javascript:"):
                self.found.append(f"{tag} {name}")

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag == "script" and data.strip():
            self.found.append("script")


def inline(page: str) -> list[str]:
    parser = Inline()
    parser.feed(page)
    parser.close()
    return parser.found


ELSEWHERE = re.compile(r"""(?:\b(?:https?|wss?|stuns?|turns?|ftp):|["'(=]\s*//)[^\s"')]+""", re.IGNORECASE)
HARMLESS = {
    "http://www.w3.org/2000/svg",  # the name of SVG's vocabulary, never fetched
    "http://127.0.0.1",  # this computer
}


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("<script>alert(1)</script>", ["script"]),
        ("<p style='color: red'>", ["p style"]),
        ("<style>p { color: red }</style>", ["style"]),
        ("<a onclick='go()'>", ["a onclick"]),
        ("<a href=' javascript:go()'>", ["a href"]),
        ("<script type='module' src='/static/js/main.js'></script>", []),
    ],
)
def test_the_search_for_inline_code_finds_it(page: str, found: list[str]) -> None:
    assert inline(page) == found


@pytest.mark.parametrize(
    "text", ['src="https://cdn.example/x.js"', "url(//fonts.example/a)", '"wss://a.example"', "stun:stun.example:3478"]
)
def test_the_search_for_other_hosts_finds_them(text: str) -> None:
    assert ELSEWHERE.findall(text)


def test_pages_have_no_inline_code() -> None:
    pages = {path.name: inline(path.read_text("utf-8")) for path in (ROOT / "web").rglob("*.html")}
    assert pages.keys() >= {"index.html", "view.html"}
    assert set(map(tuple, pages.values())) == {()}


def test_the_web_folder_names_no_other_host() -> None:
    found = {address for path in written("web") for address in ELSEWHERE.findall(path.read_text("utf-8"))}
    assert found - HARMLESS == set()


def test_every_picture_and_clip_is_credited() -> None:
    models = ROOT / "models"
    [patterns] = re.findall(r"Pictures and clip \(([^)]+)\)", (models / "NOTICE").read_text("utf-8"))
    pictures = [path for path in models.rglob("*") if path.suffix in {".png", ".jpg", ".mp4"}]
    assert len(pictures) >= 18
    for path in pictures:
        name = path.relative_to(models).as_posix()
        assert any(fnmatch(name, pattern.strip()) for pattern in patterns.split(",")), name
    readme = (models / "README.md").read_text("utf-8")
    assert "CC0-1.0" in readme
    assert "`demo/performer.mp4`" in readme


def test_every_persona_is_fictional_and_free() -> None:
    cards = list_personas(ROOT / "models" / "personas")
    assert len(cards) == len(list((ROOT / "models" / "personas").iterdir())) >= 8
    for card in cards:
        assert card.kind == "fictional"
        assert card.licence == "CC0-1.0"
        assert "does not exist" in card.description
