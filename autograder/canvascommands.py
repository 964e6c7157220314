"""Commands that talk to Canvas. No code of a student runs in their process."""

from __future__ import annotations

import click


@click.group(name="canvas")
def canvas() -> None:
    """Fetch submissions from Canvas and send grades there, with an access token."""
