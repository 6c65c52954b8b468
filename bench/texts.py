"""Real text of known kinds for the measurements, cut into pieces, the same for everybody.

Python's standard library and the installed packages are on the machine. All else comes from
public repositories at fixed commits, read from clones that stand side by side in one folder, each
under its own name; `fetch` gets those that are missing. A repository that is not there is left out
and named.
"""

from __future__ import annotations

import io
import random
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["SOURCES", "Piece", "Source", "fetch", "pieces"]

Split = Literal["train", "test"]

#: A piece has so many characters, drawn evenly over the logarithm.
_SHORTEST, _LONGEST = 300, 12_000
#: Larger files are left out: data sets, mostly.
_LARGEST = 1_000_000
#: Pieces of one source, so that none outweighs the others.
_MOST = 250
#: A piece of a Chinese, Japanese or Korean page is one only with this share of such characters.
_OWN_SCRIPT = 0.4
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Source:
    """Files of one kind: of a repository (`OWNER/NAME@COMMIT`), or of this Python."""

    kind: str
    split: Split
    origin: str
    files: str
    most: int = _MOST


@dataclass(frozen=True)
class Piece:
    """A stretch of one file; nothing of a test source is ever fitted to."""

    kind: str
    split: Split
    text: str


_AUSTEN = "standardebooks/jane-austen_pride-and-prejudice@8ec1ca806088448201a95e277010ea160d3ebb48"
_BOOKS = "EbookFoundation/free-programming-books@5b277d20f623ce5b2889b16fc9dd5e266536f521"
_COMMONS = "apache/commons-lang@d15939ef46f0bd4144994df8be95cf5a7f91eb52"
_COUNTRIES = "mledoze/countries@5e9f370050f83ad2ba4cb885f75d66114badf72c"
_DICKENS = "standardebooks/charles-dickens_great-expectations@"
_DICKENS += "d386bda66efcfd71ae1fea0528f453c06b1ccbaa"
_EXPRESS = "expressjs/express@a3714473feb3d2908add734d340e7755fd85e0a3"
_FASTAPI = "fastapi/fastapi@c3f316b7e814667e8ee81e03a7330d00ee61e45c"
_FD = "sharkdp/fd@ee20f426ddf338ac7ead5c5f00ea49258005caaf"
_GIN = "gin-gonic/gin@dcaa4296d111981ffb31ac3eba90bb63e1eb5ab9"
_GOT = "sindresorhus/got@d00d845a0b435365ec73ea5a1fca6e17ee677184"
_MELVILLE = "standardebooks/herman-melville_moby-dick@"
_MELVILLE += "f6a255003170e113bb80a33cad230154af4caef8"
_PETCLINIC = "spring-projects/spring-petclinic@edf4db28affcc4741c79850a3d95bc3f177b5ff9"
_REDIS = "redis/redis@4f8cdc2a1ea53e42955af758aabffee67cb455dd"
_RIPGREP = "BurntSushi/ripgrep@3fce3b5bb0236da2df6d99672afb8a719642eca7"
_SCHEMAS = "SchemaStore/schemastore@3b6446ad8a077bac56f4a4796c0b7fd88927fc8e"
_SCRIPT = "getify/You-Dont-Know-JS@63922c18b276da141f6e07ccebe25eca87fa09f4"
_VEGA = "vega/vega-datasets@cad85578e232704bb0453544742440038038c6a2"
_WEEKLY = "ruanyf/weekly@cf5e367d98e5141fb3381816f2ac8c5dd1bdb69f"
_VUE = {
    "chinese": "zh-cn@c2715ff75bae5376bc5bf212280ae76e30089fbd",
    "japanese": "ja@c627102bfabf8bc5ecaa6eb763b965a0a5d43a5b",
    "korean": "ko@6e646acb5687510feda533281faa546b26ea243c",
    "russian": "ru@ed53a951b62483bb8a9e70b98815edd7491b475c",
    "french": "fr@f944e8479b8d8ef3caa21a3ae415ba927b7492a7",
}
_OTHERS = {
    "japanese": "ja",
    "korean": "ko",
    "russian": "ru",
    "french": "fr",
    "german": "de",
    "spanish": "es",
    "hindi": "hi",
    "turkish": "tr",
}

SOURCES = (
    Source("english", "train", "stdlib", r"pydoc_data/topics\.py"),
    Source("english", "train", _FASTAPI, r"docs/en/docs/.*\.md"),
    Source("english", "train", _AUSTEN, r".*/chapter-\d+\.xhtml"),
    Source("english", "train", _DICKENS, r".*/chapter-\d+\.xhtml"),
    Source("english", "train", _FD, r"(README|CHANGELOG|CONTRIBUTING)\.md"),
    Source("english", "test", _MELVILLE, r".*/chapter-\d+\.xhtml"),
    Source("english", "test", _SCRIPT, r".*\.md"),
    Source("english", "test", _RIPGREP, r"(GUIDE|FAQ|README|CHANGELOG)\.md"),
    Source("code", "train", "stdlib", r"(?!pydoc_data)[a-z_/]+\.py"),
    Source("code", "train", _REDIS, r"src/.*\.[ch]"),
    Source("code", "train", _EXPRESS, r".*\.js"),
    Source("code", "train", _GIN, r".*\.go"),
    Source("code", "train", _COMMONS, r".*\.java"),
    Source("code", "train", _GOT, r".*\.(ts|yml)"),
    Source("code", "test", "packages", r"(rich|httpx|pip|hypothesis|jmespath|tenacity)/.*\.py"),
    Source("code", "test", _RIPGREP, r".*\.rs"),
    Source("code", "test", _PETCLINIC, r".*\.(java|html|sql)"),
    Source("code", "test", _SCHEMAS, r".*\.(ts|mjs|sh|yml)"),
    Source("chinese", "train", _FASTAPI, r"docs/zh/docs/.*\.md"),
    Source("chinese", "train", _WEEKLY, r"docs/issue-\d*[02468]\.md"),
    Source("chinese", "test", f"vuejs-translations/docs-{_VUE['chinese']}", r"src/.*\.md"),
    Source("chinese", "test", _WEEKLY, r"docs/issue-\d*[13579]\.md"),
    Source("json", "train", _SCHEMAS, r"src/schemas/json/.*\.json", 150),
    Source("json", "train", _COUNTRIES, r".*\.json", 150),
    Source("json", "train", _VEGA, r"data/.*\.json", 150),
    Source("json", "train", _REDIS, r"src/commands/.*\.json", 150),
    Source("json", "test", _SCHEMAS, r"src/(test|negative_test)/.*\.json"),
    Source("json", "test", "packages", r"litellm/.*backup\.json"),
    Source("json", "test", "packages", r"boto3/data/.*\.json", 60),
    Source("json", "test", "packages", r".*/sboms/.*\.json", 60),
    *(
        Source(kind, "train", _FASTAPI, rf"docs/{code}/docs/.*\.md", 100)
        for kind, code in _OTHERS.items()
    ),
    Source("other scripts", "train", _BOOKS, r"docs/(CODE|CONTR).*-(ar|el|fa_IR|he|hi|ta|th)\.md"),
    *(
        Source(kind, "test", f"vuejs-translations/docs-{name}", r"src/.*\.md", 150)
        for kind, name in _VUE.items()
        if kind != "chinese"
    ),
    Source("other scripts", "test", _BOOKS, r"docs/HOWTO-(ar|el|fa_IR|he|hi|ta|th)\.md"),
)


def fetch(clones: Path) -> None:
    """Get the commits that are not there yet, each alone, without its history.

    What cannot be fetched is named, and left out as if it were not asked for.
    """
    for origin in sorted({source.origin for source in SOURCES if "@" in source.origin}):
        name, commit = origin.split("@")
        clone = clones / name.rsplit("/", 1)[1]
        if not clone.is_dir():
            print(f"fetching {name}", file=sys.stderr)
            clone.mkdir(parents=True)
            try:
                _git(clone, ["init", "-q"])
                _git(clone, ["fetch", "-q", "--depth=1", f"https://github.com/{name}", commit])
            except subprocess.CalledProcessError as exc:
                print(f"not fetched: {exc.stderr.decode(errors='replace')}", file=sys.stderr)
                shutil.rmtree(clone)


def pieces(clones: Path | None) -> Iterator[Piece]:
    """Yield the pieces of every source that is there, the same ones each time."""
    for number, source in enumerate(SOURCES):
        draw = random.Random(number)  # noqa: S311
        texts = _texts(source, clones, draw)
        if not texts:
            print(f"left out, not found: {source.origin} ({source.kind})", file=sys.stderr)
        cut = (part for text in texts for part in _cut(text, draw))
        for part, _ in zip(cut, range(source.most), strict=False):
            yield Piece(_kind(source.kind, part), source.split, part)


def _kind(kind: str, text: str) -> str:
    dense = len(_CJK.findall(text)) >= _OWN_SCRIPT * len(text)
    return kind if dense or kind not in ("chinese", "japanese", "korean") else f"{kind} mixed"


def _cut(text: str, draw: random.Random, most: int = 5) -> Iterator[str]:
    """Yield a few stretches of a text, each from the start of a line on where it has lines."""
    at = 0
    for _ in range(most):
        size = round(_SHORTEST * (_LONGEST / _SHORTEST) ** draw.random())
        part = text[at : at + size]
        if len(part) >= _SHORTEST:
            yield part
        at = text.find("\n", at + size) + 1
        if not at:
            return


def _texts(source: Source, clones: Path | None, draw: random.Random) -> list[str]:
    named = re.compile(source.files)
    if source.origin in ("stdlib", "packages"):
        folder = Path(sysconfig.get_path("stdlib" if source.origin == "stdlib" else "purelib"))
        read = _installed(folder, named, draw, source.most)
    else:
        read = _cloned(source.origin, named, clones, draw, source.most) if clones else []
    bare = source.files.endswith("xhtml")
    found = (data.decode(errors="replace") for data in read)
    return [_TAG.sub("", text) if bare else text for text in found]


def _drawn(names: Iterable[str], named: re.Pattern[str], draw: random.Random, n: int) -> list[str]:
    fitting = sorted(filter(named.fullmatch, names))
    draw.shuffle(fitting)
    return fitting[:n]


def _installed(folder: Path, named: re.Pattern[str], draw: random.Random, n: int) -> list[bytes]:
    names = (str(path.relative_to(folder)) for path in folder.rglob("*.[pj]*"))
    return [(folder / name).read_bytes() for name in _drawn(names, named, draw, n)]


def _cloned(
    origin: str, named: re.Pattern[str], clones: Path, draw: random.Random, n: int
) -> list[bytes]:
    name, commit = origin.rsplit("@", 1)
    clone = clones / name.rsplit("/", 1)[1]
    if not clone.is_dir():
        return []
    listed = _git(clone, ["ls-tree", "-r", "--name-only", "-z", commit]).decode().split("\0")
    wanted = [f"{commit}:{path}\n" for path in _drawn(listed, named, draw, n)]
    return list(_blobs(_git(clone, ["cat-file", "--batch"], "".join(wanted).encode())))


def _git(clone: Path, command: list[str], stdin: bytes = b"") -> bytes:
    argv = ["git", "-C", str(clone), *command]
    return subprocess.run(argv, input=stdin, capture_output=True, check=True).stdout


def _blobs(batch: bytes) -> Iterator[bytes]:
    """Yield the files of `git cat-file --batch`, but for large ones.

    A header ends with the size, or with `missing`.
    """
    stream = io.BytesIO(batch)
    while header := stream.readline().split():
        if header[-1].isdigit():
            data = stream.read(int(header[-1]))
            stream.readline()
            if len(data) <= _LARGEST:
                yield data
