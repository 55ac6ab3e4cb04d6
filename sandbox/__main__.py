"""`python -m sandbox`: start the simulated EHRs and serve until told to stop."""

import argparse
from pathlib import Path

from sandbox.errors import UnusableFile
from sandbox.server import serve


def main() -> None:
    """Read the command line and serve; returns after SIGTERM or Ctrl-C."""
    parser = _parser()
    options = parser.parse_args()
    try:
        serve(
            port=options.port,
            home=options.home,
            clients_file=options.clients,
            transcripts_file=options.transcripts,
            bind=options.bind,
        )
    except UnusableFile as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--home", type=Path, required=True, help="directory that keeps the EHRs' state")
    parser.add_argument("--clients", type=Path, required=True, help="JSON file of registered apps per EHR")
    parser.add_argument("--transcripts", type=Path, help="more visits, as ACI-BENCH JSON")
    parser.add_argument("--bind", default="127.0.0.1", help="address to listen on (default: loopback only)")
    return parser


if __name__ == "__main__":
    main()
