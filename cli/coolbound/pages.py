"""Generated Markdown pages: their templates, and how they and their figures land."""

from collections.abc import Mapping
from pathlib import Path

import jinja2

from coolbound_controllers.atomic import write_atomic


def page_template(package: str) -> jinja2.Template:
    """Return `templates/page.md.j2` of a package."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Markdown, and nothing in it comes from a user.
        autoescape=False,
    )
    return environment.get_template("page.md.j2")


def write_page(path: Path, page: str, pictures: Mapping[Path, bytes]) -> list[str]:
    """Write every file whole, the page last: it never shows what is not there."""
    for place, picture in pictures.items():
        write_atomic(place, picture)
    write_atomic(path, page.encode())
    return [str(place) for place in (*pictures, path)]
