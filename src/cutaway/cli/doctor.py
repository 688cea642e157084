"""`cutaway doctor`: whether this installation is whole, and what this machine has to offer."""

import dataclasses

from cutaway.cli import checks, terminal
from cutaway.cli.options import Json
from cutaway.cli.table import Column, print_table

CHECK_FAILED = 1


def doctor(*, json: Json = False) -> int:
    """Check Python, libraries, devices and that the bundled model writes; exit code 1 if something is broken."""
    findings = [finding for check in checks.ALL for finding in check()]
    broken = [finding for finding in findings if finding.state == "broken"]
    if json:
        found = [dataclasses.asdict(finding) for finding in findings]
        terminal.print_json({"healthy": not broken, "findings": found})
    else:
        columns = [Column("about"), Column("what"), Column("state"), Column("finding")]
        print_table(columns, [(f.topic, f.name, f.state, f.detail) for f in findings])
        for finding in broken:
            terminal.notice(f"cutaway: {finding.name} is broken: {finding.detail}")
    return CHECK_FAILED if broken else 0
