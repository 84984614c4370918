"""The two pages that the server writes itself: a problem, and the list of the API. No script, nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

__all__ = ["STYLE", "STYLE_PATH", "api_page", "problem_page"]

STYLE_PATH: Final = "/plain.css"

STYLE: Final = """\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.4rem 1rem 0.4rem 0; border-bottom: 1px solid #8886; }
code { font-family: ui-monospace, monospace; }
"""
"""Style of the plain pages; a file of its own because the Content-Security-Policy forbids inline styles."""


def problem_page(problem: str, remedy: str) -> str:
    """A page that says what is wrong and what to do."""
    return _page("livefake", f"<h1>{escape(problem)}</h1>\n<p>{escape(remedy)}</p>")


def api_page(document: Mapping[str, Any]) -> str:
    """The paths of an OpenAPI document as a table: method, path, what it does, what it answers."""
    title = f"{document['info']['title']} {document['info']['version']}"
    rows = "\n".join(_rows(document["paths"]))
    return _page(
        title,
        f"<h1>{escape(title)}</h1>\n"
        f"<p>{escape(document['info'].get('description', ''))}</p>\n"
        '<p>The whole description, for programs: <a href="/openapi.json">openapi.json</a></p>\n'
        "<table>\n<thead><tr><th>Method</th><th>Path</th><th>Does</th><th>Answers</th></tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>",
    )


def _rows(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            does = operation.get("description") or operation["summary"]
            answers = ", ".join(sorted(operation["responses"]))
            cells = (f"<code>{escape(method.upper())}</code>", f"<code>{escape(path)}</code>", escape(does), answers)
            yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width">\n'
        f'<link rel="stylesheet" href="{STYLE_PATH}">\n</head>\n<body>\n{body}\n</body>\n</html>\n'
    )
