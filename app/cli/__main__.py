"""The command line: `countersign COMMAND`, also `python -m app.cli`."""

import click
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError, ProgrammingError

from app.cli.administrators import admin
from app.cli.bench import bench
from app.cli.chaos import chaos
from app.cli.demo import demo
from app.cli.log import log
from app.cli.onboarding import doctor, sheet
from app.cli.processes import migrate, sweep, web, worker
from app.cli.reconcile import reconcile
from app.cli.sandbox import sandbox
from app.cli.tenants import tenant
from app.cli.vendors import vendor
from app.errors import Conflict, Misconfigured, Refused
from app.log_lines import configure_logging
from vendors.profile import ProfileRefused


@click.group()
def countersign() -> None:
    """Review an AI draft beside its evidence, sign it, and file it under your own token."""
    configure_logging()


for command in (admin, bench, chaos, demo, log, migrate, reconcile, sandbox, sweep, tenant, vendor, web, worker):
    countersign.add_command(command)
for command in (sheet, doctor):
    tenant.add_command(command)


def main() -> None:
    """Run a command; what is wrong with a file or setting is said in one line, without a traceback."""
    try:
        countersign()
    except (Misconfigured, ProfileRefused) as error:
        raise SystemExit(f"countersign: {error}") from error
    except (Refused, Conflict) as error:
        raise SystemExit(f"countersign: {' '.join((error.what_happened, *error.what_to_do))}") from error
    except (OperationalError, ProgrammingError) as error:
        raise SystemExit(
            "countersign: The database is away or not at this version. Run: countersign migrate"
        ) from error
    except ValidationError as error:
        wrong = ", ".join(f"COUNTERSIGN_{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors())
        raise SystemExit(f"countersign: {wrong}") from error


if __name__ == "__main__":
    main()
