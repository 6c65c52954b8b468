"""Write docs/lint/: one page per rule, from its documentation, and the list of them.

    python scripts/lint_pages.py            write them
    python scripts/lint_pages.py --check    change nothing; exit 1 if anything differs

What lint says of each wrong example is what it really says.
"""

from __future__ import annotations

import os
import sys
import warnings
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from llmroute.lint import lint  # noqa: E402
from llmroute.lint.examples import write_example  # noqa: E402
from llmroute.lint.guide import Page, pages  # noqa: E402
from llmroute.lint.registry import rules  # noqa: E402

FOLDER = ROOT / "docs" / "lint"
#: The day on which the pages stand: prices grow older with every other one.
_DAY = date(2026, 11, 22)
_ABOUT = """\
# Lint rules

`llmroute lint` checks a workspace by these rules. Errors make a file unloadable, unless the page
of the rule says otherwise; warnings are worth a look; notes tell of the surroundings.
`llmroute lint --explain RULE` prints a page. Rules marked with ∗ evaluate policies on many
requests; `--no-analyses` leaves them out.

| rule | severity | what it finds |
|---|---|---|
"""
#: What these say depends on packages that are installed or not.
_DEPENDING = {"price-drift"}
_MADE = "<!-- Made by scripts/lint_pages.py from the rule's documentation. -->\n"


def said(item: Page) -> str:
    """Return what lint says of the wrong example."""
    with TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        write_example(item.wrong, root)
        before = Path.cwd()
        os.chdir(root)
        try:
            found = [str(one) for one in lint([root], {}, today=_DAY) if one.rule == item.rule]
        finally:
            os.chdir(before)
    return "\n".join(found).replace(f"{root}/", "")


def page_text(item: Page) -> str:
    """Return the page of a rule."""
    parts = [f"# {item.rule}", f"{_MADE}\n{item.severity} · {item.what}"]
    parts += [item.more] if item.more else []
    for title, block in (("Wrong", item.wrong), ("Right", item.right)):
        if block:
            kind = "sh" if block.startswith("$ ") else "yaml"
            parts.append(f"## {title}\n\n```{kind}\n{block}```")
        if block and title == "Wrong":
            parts += [f"```text\n{said(item)}\n```"] if item.rule not in _DEPENDING else []
    parts.append(f"## Why\n\n{item.why}")
    return "\n\n".join(parts) + "\n"


def made() -> dict[str, str]:
    """Return every file of the folder."""
    files = {f"{name}.md": page_text(item) for name, item in pages().items()}
    analyses = {rule.name for rule in rules() if rule.analyses}
    lines = (
        f"| [{name}]({name}.md){' ∗' if name in analyses else ''} | {item.severity} "
        f"| {item.what.replace('|', chr(92) + '|')} |\n"
        for name, item in pages().items()
    )
    return {"README.md": _ABOUT + "".join(lines), **files}


def main() -> int:
    """Write or check every page; return the exit code."""
    warnings.simplefilter("ignore")
    check, wanted = "--check" in sys.argv[1:], made()
    old = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    stale = sorted(name for name in {*old, *wanted} if old.get(name) != wanted.get(name))
    if not check:
        FOLDER.mkdir(exist_ok=True)
        for name in stale:
            write(FOLDER / name, wanted.get(name))
    for name in stale:
        print(f"docs/lint/{name}: {'differs; run scripts/lint_pages.py' if check else 'written'}")
    return 1 if check and stale else 0


def write(path: Path, text: str | None) -> None:
    """Write a page, or remove that of a rule that is gone."""
    if text is None:
        path.unlink()
    else:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
