"""What is documented of the rules about files and folders."""

from __future__ import annotations

from collections.abc import Mapping

from llmroute.config.diagnostics import Severity

__all__ = ["PAGES"]

PAGES: Mapping[str, tuple[Severity, str]] = {
    "file-ignored": (
        "warning",
        """A file has the ending .yml or lies in a folder further down, and is not read.

Wrong:
    $ cp policies/plain.yaml policies/other.yml

Right:
    $ sed 's/plain/other/' policies/plain.yaml > policies/other.yaml

Why: Only *.yaml counts, so that there is one name for each provider and policy; a file that looks
as if it counted and does not is worth a word. So is one in a folder further down, and a hidden one
that lint is asked for.
""",
    ),
    "file-irregular": (
        "error",
        """Something that is not a plain file stands where a file is read.

Wrong:
    $ mkdir policies/other.yaml

Right:
    $ sed 's/plain/other/' policies/plain.yaml > policies/other.yaml

Why: Reading a folder, a pipe or a device fails or waits forever. The exit code is 3: not
everything could be checked.
""",
    ),
    "file-missing": (
        "error",
        """A folder does not exist.

Why: There is nothing to check where nothing is. Give the folder that holds `providers.d/`, or run
`llmroute init`.
""",
    ),
    "file-none": (
        "warning",
        """A folder holds no file to read.

Wrong:
    $ rm policies/*.yaml

Right:
    $ rm -r policies

Why: A workspace without the folder uses what comes with llmroute; one with an empty folder has
nothing at all, which is rarely meant.
""",
    ),
    "file-outside": (
        "error",
        """A link leads out of the workspace.

Wrong:
    $ ln -s /etc/hostname policies/other.yaml

Right:
    $ sed 's/plain/other/' policies/plain.yaml > policies/other.yaml

Why: A workspace is reviewed and copied as a folder; what it says must be in it.
""",
    ),
    "file-unreadable": (
        "error",
        """A file or folder cannot be read.

Wrong:
    $ ln -s other.yaml policies/other.yaml

Right:
    $ sed 's/plain/other/' policies/plain.yaml > policies/other.yaml

Why: A file that cannot be read cannot be judged. The exit code is 3.
""",
    ),
    "file-writable": (
        "error",
        """Everybody on the machine can write a file or folder.

Wrong:
    $ chmod o+w policies/plain.yaml

Right:
    $ chmod o-w policies/plain.yaml

Why: Who can write a policy decides where every prompt goes.
""",
    ),
}
