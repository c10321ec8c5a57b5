"""One HTML file with everything in it: style, data and code, and nothing that is fetched."""

import base64
import hashlib
import html
import importlib.resources
import json
import os
import string
from collections.abc import Sequence

from msw2.system.files import replacing

# Nothing is fetched, and no code runs but that of the page: a song's name cannot bring any.
POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; media-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def write_document(
    path: str | os.PathLike,
    template: str,
    *,
    title: str,
    style: str,
    scripts: Sequence[str],
    data: object,
    **others: str,
) -> None:
    """Writes an HTML file, whole or not at all. The same input gives the same bytes.

    Args:
        path: the HTML file to write.
        template: name of the asset with the places `$policy`, `$title`, `$style`, `$data` and `$script`.
        title: plain text.
        style: CSS.
        scripts: names of assets, in their order: each uses those before it.
        data: of JSON's types, for the code.
        **others: plain texts for other places of the template.
    """
    script = "{\n'use strict';\n" + "\n".join(map(asset, scripts)) + "}\n"
    page = string.Template(asset(template)).substitute(
        {name: html.escape(text) for name, text in others.items()},
        policy=POLICY.format(script=_digest(script), style=_digest(style)),
        title=html.escape(title),
        style=style,
        data=inline_json(data),
        script=script,
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def asset(name: str) -> str:
    """Returns the text of a file in `msw2/page/assets`."""
    return (importlib.resources.files("msw2.page") / "assets" / name).read_text(encoding="utf-8")


def inline_json(data: object) -> str:
    """Returns data as JSON that can stand inside a script element: `<` would end it, or open a comment."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _digest(text: str) -> str:
    """Returns the name of an inline script or style in a Content Security Policy: its digest."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
