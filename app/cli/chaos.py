"""Faults by the thousand, and whether every signed note still ended in the chart once, or where somebody sees it."""

import click

from app.cli.reporting import as_json, counted, report


@click.command()
@click.option(
    "--histories", default=500, type=click.IntRange(min=1), show_default=True, help="How many histories to play."
)
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same histories.")
@click.option(
    "--jobs", default=0, type=click.IntRange(min=0), help="Processes that play at once; 0: one for each core."
)
@click.option("--processes", is_flag=True, help="Real processes, real Redis, real kill -9; slower by far.")
@as_json
def chaos(*, histories: int, seed: int, jobs: int, processes: bool, as_json: bool) -> None:
    """Play random histories full of faults against simulated EHRs and check that every promise was kept."""
    # Imported here: no other command, and no process of production, loads the simulated EHRs.
    if processes:
        from app.chaos.with_processes import run  # noqa: PLC0415

        result = run(histories, seed)
    else:
        from app.chaos.simulation import simulate  # noqa: PLC0415

        result = simulate(histories, seed, jobs)
    document = result.document()
    lines = [str(violation) for violation in document["violations"]]
    struck = sum(document["faults"].values())
    summary = (
        f"{counted(result.histories, 'history', 'histories')} of seed {seed}, {counted(result.writes, 'write')}, "
        f"{counted(struck, 'fault')}: "
        f"{document['lost']} lost, {document['duplicated']} duplicated, {document['wrong_token']} under another token, "
        f"{document['unsettled']} unsettled, {counted(len(document['violations']), 'broken promise')}"
    )
    apart = {
        "remade: deleted or lost in the EHR before it could be asked, so made once more; one is live": result.remade,
        "unforeseen: stored without our identifier and in other words, its answer lost, by an EHR that was never seen "
        "to do so; a second one was sent": result.unforeseen,
    }
    counted_apart = [f"{count} {what}" for what, count in apart.items() if count]
    report(document, [*lines, summary, *counted_apart], as_json=as_json, ok=result.ok)
