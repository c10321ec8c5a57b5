"""A page as one HTML file: style, code and data inside it, and nothing that is fetched."""

import base64
import hashlib
import html
import importlib.resources
import json
import string
from collections.abc import Sequence

# Nothing is fetched, and no code runs but that of the page: a name in the data cannot bring any.
POLICY = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src data:; media-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def document(template: str, *, title: str, style: str, scripts: Sequence[str], data: object) -> str:
    """Returns a whole page.

    Args:
        template: name of an asset with `$policy`, `$title`, `$style`, `$data` and `$script` in it.
        title: of the page, plain text.
        style: CSS.
        scripts: names of assets; each may use those before it.
        data: for the script, as JSON.
    """
    script = "{\n'use strict';\n" + "\n".join(map(asset, scripts)) + "}\n"
    return string.Template(asset(template)).substitute(
        policy=POLICY.format(script=digest(script), style=digest(style)),
        title=html.escape(title),
        style=style,
        data=inline_json(data),
        script=script,
    )


def asset(name: str) -> str:
    """Returns the text of a file in `msw2/page/assets`."""
    return (importlib.resources.files("msw2.page") / "assets" / name).read_text(encoding="utf-8")


def inline_json(data: object) -> str:
    """Returns data as JSON that can stand inside a script element: `<` would end it, or open a comment."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def digest(text: str) -> str:
    """Returns the digest by which a Content Security Policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
