"""Tables of what was recovered, with 95 % confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.watermark_false import modelled

__all__ = ["summary", "tables", "wilson"]

_Z = 1.959964


def wilson(good: int, total: int) -> tuple[float, float]:
    """95 % interval of a share (E. B. Wilson, Probable inference, J. American Statistical Association 22, 1927)."""
    if not total:
        return 0.0, 1.0
    share, spread = good / total, _Z * _Z / total
    middle = (share + spread / 2) / (1 + spread)
    reach = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def summary(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All records in one: by attack and window length, by still, false readings."""
    recovered: dict[str, dict[str, list[int]]] = {}
    faces: dict[str, dict[str, list[int]]] = {}
    missed: dict[str, list[str]] = {}
    for record in records:
        if record["part"] not in {"attack", "stills"}:
            continue
        name = record.get("attack", "stills")
        for length, outcomes in record["windows"].items():
            groups = (recovered, faces) if " as " in record["cover"] else (recovered,)
            for group in groups:
                group.setdefault(name, {}).setdefault(length, []).extend(outcomes)
            if min(outcomes) < 1:
                missed.setdefault(f"{name}, {length}", []).append(record["cover"])
    return {
        "all": {name: {length: _share(found) for length, found in rows.items()} for name, rows in recovered.items()},
        "faces": {name: {length: _share(found) for length, found in rows.items()} for name, rows in faces.items()},
        "wrong": sum(outcome < 0 for rows in recovered.values() for found in rows.values() for outcome in found),
        "windows_read": sum(len(found) for rows in recovered.values() for found in rows.values()),
        "missed": missed,
        "covers": {record["cover"]: record["quality"] for record in records if record["part"] == "cover"},
        "false": _false(records),
    }


def tables(found: Mapping[str, Any]) -> str:
    """Markdown."""
    lines = []
    for title, group in (("All covers", found["all"]), ("Faces", found["faces"])):
        rows = {name: row for name, row in group.items() if name != "stills"}
        lengths = list(dict.fromkeys(length for row in rows.values() for length in row))
        lines += [f"| {title}: after | " + " | ".join(f"{length} s" for length in lengths) + " |"]
        lines += ["|---" * (len(lengths) + 1) + "|"]
        lines += [
            f"| {name} | " + " | ".join(_cell(row[length]) if length in row else "" for length in lengths) + " |"
            for name, row in rows.items()
        ]
        if "stills" in group:
            lines += ["", f"| {title}: one picture | read |", "|---|---|"]
            lines += [f"| {kind} | {_cell(share)} |" for kind, share in group["stills"].items()]
        lines.append("")
    false = found["false"]
    lines.append(
        f"Wrong payloads: {found['wrong']} in {found['windows_read']} readings of marked clips and stills. "
        f"False readings: {false['false']} in {false['trials']} trials (95 %: below {false['below']:.1e}), modelled "
        f"{false['modelled']['false_reading_a_look']:.1e} a look. Gates passed by {false['gates_passed']} of "
        f"{2 * false['unmarked']} looks, modelled {false['gates_modelled']:.0f}."
    )
    lines.append(
        f"Whole unmarked clips with search: {false['searched_present']} of {false['searched']} read as marked; "
        f"an answer took {false['searched_slowest_s']:.1f} s of cpu at most."
    )
    return "\n".join(lines) + "\n"


def _share(outcomes: Sequence[int]) -> dict[str, Any]:
    good = sum(outcome == 1 for outcome in outcomes)
    low, high = wilson(good, len(outcomes))
    return {"good": good, "total": len(outcomes), "low": round(low, 4), "high": round(high, 4)}


def _cell(share: Mapping[str, Any]) -> str:
    return f"{share['good']}/{share['total']} ({100 * share['low']:.0f}-{100 * share['high']:.0f} %)"


def _false(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    runs = [record["counts"] for record in records if record["part"] == "false"]
    whole = [record for record in records if record["part"] == "searched"]
    total = {key: sum(run[key] for run in runs) for key in (runs[0] if runs else ())}
    false = total.get("unmarked_false", 0) + total.get("weak_false", 0)
    trials = total.get("unmarked", 0) + total.get("weak", 0)
    model = modelled()
    return {
        **total,
        "false": false,
        "trials": trials,
        "below": wilson(false, trials)[1],
        "modelled": model,
        "unmarked": total.get("unmarked", 0),
        "gates_passed": total.get("gates_passed", 0),
        "gates_modelled": (model["gate_anywhere"] + model["gate_usual_place"]) * 2 * total.get("unmarked", 0),
        "searched": len(whole),
        "searched_present": sum(record["present"] for record in whole),
        "searched_slowest_s": max((record["seconds"] for record in whole), default=0.0),
    }
