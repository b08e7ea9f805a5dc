"""`scopegate audit`: whether the audit file is as it was written."""

import typer

from gateway.cli.options import DEFAULT_CONFIG, Config

app = typer.Typer(help="The audit file.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keep `verify` a word of its own while it is the only one."""


@app.command()
def verify(config: Config = DEFAULT_CONFIG) -> None:
    """Say whether audit.jsonl is whole; exit 1 and name the first line that was changed, removed or inserted."""
    from gateway.cli.opened import counted, spool_of
    from gateway.spool.audit import CHANGED
    from gateway.spool.inspection import verify_audit

    with spool_of(config) as (_, spool):
        found = verify_audit(spool)
        fault = found.fault
        print(f"{spool.layout.audit}: {counted(found.lines, 'line')} read.")
        if found.unmarked:
            has = "has no mark" if found.unmarked == 1 else "have no marks"
            print(
                f"note: {counted(found.unmarked, 'line')} at the beginning {has}: an earlier version wrote that. "
                "Changes since the first mark are found, earlier ones are not."
            )
        if found.torn:
            print("note: a power cut left a half line at the end; the next entry moves it aside.")
        whole = "No line was changed, removed or inserted."
        print(f"line {fault.line}: {fault.why} [{CHANGED}]" if fault else whole)
        spool.audit.note("audit-verified", by="command-line", lines=found.lines, fault=fault.line if fault else 0)
    raise typer.Exit(1 if fault else 0)
