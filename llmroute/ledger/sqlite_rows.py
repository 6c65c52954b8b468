"""The tables of the SQLite ledger, and how records stand in them.

Decisions are compressed JSON (zlib): about a tenth of their text. An attempt's row is its
reservation too: `outcome` is `pending` while money is held.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from llmroute.ledger.holds import Charge, Key, Reservation
from llmroute.ledger.records import AttemptRecord, RequestRecord
from llmroute.ledger.store import By

__all__ = [
    "APPLICATION",
    "ATTEMPT_COLUMNS",
    "CREATE",
    "REQUEST_COLUMNS",
    "VERSION",
    "attempt_of",
    "attempt_row",
    "charges_text",
    "request_of",
    "request_row",
    "reservation_of",
    "spend_query",
]

#: What marks a file as a ledger ("llmr"), and the version of its tables.
APPLICATION, VERSION = 0x6C6C6D72, 1

CREATE = """
CREATE TABLE ledger (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE counters (
  budget TEXT, period TEXT, spent INTEGER NOT NULL, reserved INTEGER NOT NULL,
  PRIMARY KEY (budget, period)
) WITHOUT ROWID;

CREATE TABLE attempts (
  request TEXT, number INTEGER, at REAL NOT NULL, provider TEXT NOT NULL, target TEXT NOT NULL,
  policy TEXT NOT NULL, outcome TEXT NOT NULL, model TEXT, status INTEGER, message TEXT,
  tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, cached INTEGER NOT NULL,
  cache_written INTEGER NOT NULL, reasoning INTEGER NOT NULL, estimated INTEGER NOT NULL,
  cost INTEGER, first_token REAL, duration REAL NOT NULL, tags TEXT NOT NULL, caller TEXT,
  fingerprint TEXT NOT NULL, held INTEGER, estimate INTEGER, expires REAL, charges TEXT,
  PRIMARY KEY (request, number)
) WITHOUT ROWID;

CREATE INDEX pending ON attempts (expires) WHERE outcome = 'pending';

CREATE TABLE requests (
  id TEXT PRIMARY KEY, at REAL NOT NULL, policy TEXT NOT NULL, outcome TEXT NOT NULL, winner TEXT,
  target TEXT, tags TEXT NOT NULL, caller TEXT, task TEXT, fingerprint TEXT NOT NULL,
  decision BLOB, prompt TEXT
);
"""

ATTEMPT_COLUMNS = ", ".join(field.name for field in fields(AttemptRecord))
_REQUEST_FIELDS = tuple(field.name for field in fields(RequestRecord) if field.name != "brief")
REQUEST_COLUMNS = ", ".join(_REQUEST_FIELDS)
_ATTEMPT_FIELDS = tuple(field.name for field in fields(AttemptRecord))
_request_values, _attempt_values = attrgetter(*_REQUEST_FIELDS), attrgetter(*_ATTEMPT_FIELDS)

#: No figure is stored beyond this, so that sums of a thousand rows fit into 64 bits.
_LARGEST = 2**53

_KEYS: Mapping[By, str] = {
    "provider": "provider",
    "model": "model",
    "target": "target",
    "tag": "tag.value",
    "caller": "caller",
    "policy": "NULLIF(policy, '')",
    "day": "day_of(at)",
    "all": "NULL",
}


def attempt_row(attempt: AttemptRecord) -> tuple[Any, ...]:
    """Return an attempt as values of `ATTEMPT_COLUMNS`."""
    return tuple(map(_stored, _attempt_values(attempt.brief())))


def attempt_of(row: Sequence[Any]) -> AttemptRecord:
    """Return the attempt of a row of `ATTEMPT_COLUMNS`."""
    values = dict(zip(_ATTEMPT_FIELDS, row, strict=True))
    tags = tuple(json.loads(values["tags"]))
    return AttemptRecord(**{**values, "tags": tags, "estimated": bool(values["estimated"])})


def request_row(request: RequestRecord) -> tuple[Any, ...]:
    """Return a request as values of `REQUEST_COLUMNS`."""
    return tuple(map(_stored, _request_values(request)))


def request_of(row: Sequence[Any]) -> RequestRecord:
    """Return the request of a row of `REQUEST_COLUMNS`."""
    values = dict(zip(_REQUEST_FIELDS, row, strict=True))
    kept = values["decision"]
    decision = None if kept is None else json.loads(zlib.decompress(kept))
    return RequestRecord(
        **{**values, "tags": tuple(json.loads(values["tags"])), "decision": decision}
    )


def charges_text(charges: Sequence[Charge]) -> str:
    """Return the budgets that an attempt counts against, as they are stored."""
    return json.dumps([[_clean(part) for part in charge.key] for charge in charges])


def reservation_of(
    row: Sequence[Any], held: int, estimate: int | None, expires: float, charges: str
) -> Reservation:
    """Return the reservation of a pending attempt, as far as its end needs it."""
    keys = [Key(*key) for key in json.loads(charges)]
    parts = tuple(Charge(key, 0, hard=False, until=0.0) for key in keys)
    guess = estimate or 0
    return Reservation(attempt_of(row), held, guess, expires, parts, priced=estimate is not None)


def spend_query(by: By) -> str:
    """Return the query that sums up attempts; its parameters are the first id and the last."""
    source = "attempts LEFT JOIN json_each(tags) AS tag" if by == "tag" else "attempts"
    return (
        f"SELECT {_KEYS[by]} AS name, COUNT(DISTINCT request), COUNT(*), "  # noqa: S608 - own words
        "SUM(outcome != 'ok'), SUM(tokens_in), SUM(tokens_out), SUM(cached), "
        "COALESCE(SUM(cost), 0), SUM(cost IS NULL), SUM(estimated) "
        f"FROM {source} WHERE request >= ? AND request < ? AND outcome != 'pending' "
        "GROUP BY name"
    )


def _stored(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return max(min(value, _LARGEST), -_LARGEST)
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, tuple):
        return json.dumps([_clean(item) for item in dict.fromkeys(value)])
    if isinstance(value, Mapping):
        return zlib.compress(json.dumps(value, separators=(",", ":")).encode("ascii"), 1)
    return value


def _clean(text: str) -> str:
    """Replace halves of characters, which UTF-8 cannot hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
