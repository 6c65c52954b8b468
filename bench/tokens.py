"""Token estimates beside the real tokenizers, by kind of text, and the fit of their weights.

    python bench/tokens.py [--clones FOLDER [--fetch]] [--fit]

The tokenizers are o200k and cl100k of tiktoken and the one that Anthropic published for Claude 2;
all three lie in litellm's wheel, so the extra `litellm` must be installed (it is not imported).
Texts and their repositories are those of bench/texts.py; `--fetch` gets what is missing in FOLDER
from GitHub (some 100 MB). Errors are those of texts of at least 200 tokens that were not fitted to.
`--fit` also fits the weights and prints them; without it those of the package are measured. The
last line is one JSON object: by family and kind the median and the 95th percentile of the absolute
error and the median of the signed one, in percent.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.texts import Piece, fetch, pieces
from llmroute.policy.facts.tokens import FAMILIES, FEATURES, count_features, weigh

_Vector = np.ndarray[Any, np.dtype[np.float64]]
#: Texts count from so many tokens on: all for the fit, the longer ones for the error.
_FITTED, _MEASURED = 100, 200
#: Kinds that the fit heeds three times as much as the others.
_MAIN = ("english", "code", "chinese", "json")
#: Relative error up to which the fit is one of squares; beyond it, of absolute values.
_KNEE = 0.06
_ROUNDS, _SWEEPS = 8, 400

#: Weights stay between these, so that no odd text gets an absurd figure: a long word has a token
#: every sixteen letters, a Chinese character half of one, and a byte never more than one.
_LEAST = {"small letters": 0.06, "blanks": 0.07, "line ends": 0.1, "signs": 0.25}
_LEAST |= {"sign after a sign": -0.13, "blank after a blank": -0.06}
_LEAST |= dict.fromkeys(("full stops", "quotation marks", "colons", "commas"), -0.1)
_LEAST |= {name: 0.5 for name in FEATURES if name.startswith("Chinese")}
_LEAST |= {"Latin letters beyond ASCII": 0.3, "kana and Chinese punctuation": 0.3}
_MOST = dict.fromkeys(FEATURES[:6], 1.0) | {"emoji and all beyond": 3.0}
_MOST |= {name: 2.0 for name in FEATURES if name.startswith(("Chinese", "full-width"))}
_ANY_MOST = 2.5


def _tokenizers() -> dict[str, Callable[[str], int]]:
    spec = importlib.util.find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("litellm is not installed: pip install 'llmroute[litellm]'")
    folder = Path(spec.submodule_search_locations[0]) / "litellm_core_utils" / "tokenizers"
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
    import tiktoken
    from tokenizers import Tokenizer

    o200k, cl100k = (tiktoken.get_encoding(f"{name}_base") for name in ("o200k", "cl100k"))
    claude = Tokenizer.from_file(str(folder / "anthropic_tokenizer.json"))
    return {
        "o200k": lambda text: len(o200k.encode(text, disallowed_special=())),
        "cl100k": lambda text: len(cl100k.encode(text, disallowed_special=())),
        "claude": lambda text: len(claude.encode(text, add_special_tokens=False).ids),
    }


def _features(found: list[Piece]) -> _Vector:
    rows = np.zeros((len(found), len(FEATURES)))
    for row, piece in zip(rows, found, strict=True):
        counts = count_features(piece.text)
        row[: len(counts)] = counts
    return rows


def _least_squares(rows: _Vector, sought: _Vector, least: _Vector, most: _Vector) -> _Vector:
    """Solve for weights between bounds, one coordinate after the other."""
    square, along = rows.T @ rows, rows.T @ sought
    square += np.eye(len(square)) * 1e-9 * np.trace(square) / len(square)
    weights = least.copy()
    for _ in range(_SWEEPS):
        for at in range(len(weights)):
            better = weights[at] + (along[at] - square[at] @ weights) / square[at, at]
            weights[at] = min(max(better, least[at]), most[at])
    return weights


def _fit(rows: _Vector, tokens: _Vector, kinds: list[str]) -> _Vector:
    """Fit to the relative error, every kind weighing by the root of its number of texts."""
    number = {kind: kinds.count(kind) for kind in kinds}
    shares = np.array([(3 if kind in _MAIN else 1) / number[kind] ** 0.5 for kind in kinds])
    least = np.array([_LEAST.get(name, 0.0) for name in FEATURES])
    most = np.array([_MOST.get(name, _ANY_MOST) for name in FEATURES])
    trust = np.ones(len(tokens))
    for _ in range(_ROUNDS):
        scale = np.sqrt(shares * trust) / tokens
        weights = _least_squares(rows * scale[:, None], tokens * scale, least, most)
        trust = 1 / np.maximum(np.abs(rows @ weights / tokens - 1), _KNEE)
    return weights.round(3)


def _fitted(found: list[Piece], rows: _Vector, counts: Mapping[str, _Vector]) -> dict[str, _Vector]:
    """Return the weights of every family; the generic one is fitted to the mean of all."""
    wanted = {"generic": np.mean(list(counts.values()), axis=0), **counts}
    result = {}
    for family, tokens in wanted.items():
        used = [p.split == "train" and n >= _FITTED for p, n in zip(found, tokens, strict=True)]
        kinds = [piece.kind for piece, use in zip(found, used, strict=True) if use]
        result[family] = _fit(rows[used], tokens[used], kinds)
    return result


def _errors(found: list[Piece], guessed: _Vector, tokens: _Vector) -> dict[str, dict[str, float]]:
    result = {}
    for kind in sorted({piece.kind for piece in found}):
        used = [
            piece.kind == kind and piece.split == "test" and count >= _MEASURED
            for piece, count in zip(found, tokens, strict=True)
        ]
        if any(used):
            off = (guessed[used] / tokens[used] - 1) * 100
            result[kind] = {
                "texts": len(off),
                "median": round(float(np.median(np.abs(off))), 1),
                "p95": round(float(np.percentile(np.abs(off), 95)), 1),
                "bias": round(float(np.median(off)), 1),
            }
    return result


def _show(family: str, errors: Mapping[str, Mapping[str, float]]) -> None:
    for kind, row in errors.items():
        figures = f"{row['texts']:6} {row['median']:8} {row['p95']:8} {row['bias']:+8}"
        print(f"{family:8} {kind:16} {figures}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clones", type=Path)
    parser.add_argument("--fetch", action="store_true")
    parser.add_argument("--fit", action="store_true")
    chosen = parser.parse_args()
    if chosen.fetch:
        if chosen.clones is None:
            parser.error("--fetch needs --clones FOLDER")
        fetch(chosen.clones)
    found = list(pieces(chosen.clones))
    rows = _features(found)
    counts = {
        name: np.array([float(count(piece.text)) for piece in found])
        for name, count in _tokenizers().items()
    }
    if chosen.fit:
        weights = _fitted(found, rows, counts)
        for name, row in zip(FEATURES, zip(*map(weights.get, FAMILIES), strict=True), strict=True):
            print(f'    "{name}": ({", ".join(f"{w:g}" for w in row)}),')
        guesses = {family: rows @ weights[family] for family in counts}
    else:
        guesses = {family: np.array([weigh(r.tolist(), family) for r in rows]) for family in counts}
    print("family   kind              texts   median      p95     bias   (percent)")
    report = {family: _errors(found, guesses[family], counts[family]) for family in counts}
    for family, errors in report.items():
        _show(family, errors)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
