"""Every command, in the order in which help lists them."""

from llmroute.cli.commands import (
    check,
    decide,
    demo,
    diff,
    explain_policy,
    init,
    lint,
    log,
    lsp,
    prove,
    providers,
    run,
    schema,
    sim,
    spend,
    test,
)

__all__ = ["COMMANDS"]

COMMANDS = (
    run.add,
    decide.add,
    explain_policy.add,
    providers.add,
    spend.add,
    log.add,
    lint.add,
    test.add,
    diff.add,
    prove.add,
    check.add,
    init.add,
    schema.add,
    lsp.add,
    sim.add,
    demo.add,
)
