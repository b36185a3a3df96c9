"""Opens the page in the browser: `python app.py`; also the entry of a Hugging Face Space."""

from __future__ import annotations

import argparse
import logging
import os
import sys

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported

from app.backstage import Backstage
from app.ui import build_page, launch_settings
from stam_core.errors import ParameterError
from stam_core.limits import default_limits

LOOPBACK = "127.0.0.1"
PORT = 7860


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Host and port: from the command line, else from gradio's own environment variables."""
    in_space = "SPACE_ID" in os.environ
    parser = argparse.ArgumentParser(description="Opens the STAM demo as a page for the browser.")
    parser.add_argument(
        "--host",
        default=os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0" if in_space else LOOPBACK),
        help="address to serve on (default: %(default)s); 127.0.0.1 is for this computer only",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=int(os.environ.get("GRADIO_SERVER_PORT", PORT)),
        help="port to serve on (default: %(default)s)",
    )
    parser.add_argument(
        "--open", action="store_true", help="show the page in this computer's browser"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Build the page, make the model ready beside it, and serve until interrupted.

    Returns:
        0, or 2 after one line on stderr where the port cannot be had or a limit is nonsense.
    """
    options = parse_arguments(arguments)
    try:
        default_limits()
    except ParameterError as error:
        print(error, file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # gradio checks its own address by it
    backstage = Backstage()
    page = build_page(backstage, local=options.host in {LOOPBACK, "localhost", "::1"})
    backstage.warm_up()
    try:
        page.launch(inbrowser=options.open, **launch_settings(options.host, options.port))
    except OSError:
        line = f"Port {options.port} of {options.host} is taken. Choose another one with --port."
        print(line, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
