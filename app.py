"""Opens the page in the browser: `python app.py`; also the entry of a Hugging Face Space."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before gradio is imported

from app.serving.cluster import Cluster
from app.serving.logs import begin_log
from app.serving.settings import describe_settings, service_settings
from app.serving.temporary import TemporaryFolder
from stam_core.errors import StamError
from stam_core.limits import MIB, default_limits, describe_limits

LOOPBACK = "127.0.0.1"
PORT = 7860
MENDABLE = 2
VARIABLES = f"""\
environment variables, with their defaults:
{describe_settings()}
  GRADIO_SERVER_NAME, GRADIO_SERVER_PORT  as --host and --port
  GRADIO_TEMP_DIR  folder in which the app makes one for its uploads (default: the system's)
  STAM_CACHE  folder of downloaded weights (default: the user's cache)

limits on a video:
{describe_limits()}

GET /health tells whether the app is ready; docs/serving.md has more.
"""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Host, port and log: from the command line, else from the environment's variables."""
    in_space = "SPACE_ID" in os.environ
    parser = argparse.ArgumentParser(
        description="Opens the STAM demo as a page for the browser.",
        epilog=VARIABLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host",
        default=os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0" if in_space else LOOPBACK),
        help="address to serve on (default: %(default)s); 127.0.0.1 is for this computer only",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=os.environ.get("GRADIO_SERVER_PORT", str(PORT)),
        help="port to serve on (default: %(default)s)",
    )
    parser.add_argument(
        "--open", action="store_true", help="show the page in this computer's browser"
    )
    parser.add_argument(
        "--log-json",
        action="store_true",
        help="log one JSON object a line, without anything of the visitors' (as STAM_LOG=json)",
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="run the models on a Ray cluster: auto (this machine's), host:port, or without an "
        "address one on this machine alone (as STAM_RAY; docs/serving.md)",
    )
    parser.add_argument(
        "--replicas",
        metavar="N",
        help="of the model on that cluster, or N-M to let their number follow the load "
        "(as STAM_REPLICAS; default: one for each GPU, or else for each machine)",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Build the page, make the model ready beside it, and serve until stopped.

    Returns:
        0, or 2 after one line on stderr where a setting or the port cannot be had.
    """
    options = parse_arguments(arguments)
    try:
        settings = service_settings()
        default_limits()
        settings = replace(
            settings,
            ray=settings.ray if options.ray is None else options.ray,
            replicas=settings.replicas if options.replicas is None else options.replicas,
        )
        cluster = Cluster(settings) if settings.ray else None
    except StamError as error:
        print(error, file=sys.stderr)
        return MENDABLE
    if options.log_json:
        settings = replace(settings, log="json")
    begin_log(settings.log, settings.log_level)
    try:
        folder = TemporaryFolder(kept_bytes=settings.kept_mib * MIB)
    except OSError as error:
        line = (
            f"No temporary folder can be made ({error.strerror}). Set GRADIO_TEMP_DIR to another."
        )
        print(line, file=sys.__stderr__)
        return MENDABLE
    from app.serving.service import serve  # loads gradio, which makes folders of its own at once

    # With a password it is for others, through a proxy: no paths on this computer for them.
    local = options.host in {LOOPBACK, "localhost", "::1"} and settings.auth is None
    try:
        serve(
            options.host, options.port, settings, folder,
            local=local, show=options.open, cluster=cluster,
        )  # fmt: skip
    except OSError:
        line = f"Port {options.port} of {options.host} is taken. Choose another one with --port."
        print(line, file=sys.__stderr__)
        return MENDABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
