"""Every command, in the order in which help lists them."""

from llmroute.cli.commands import (
    check,
    decide,
    demo,
    explain_policy,
    init,
    lint,
    prove,
    providers,
    run,
    schema,
    sim,
    test,
)

__all__ = ["COMMANDS"]

COMMANDS = (
    run.add,
    decide.add,
    explain_policy.add,
    providers.add,
    lint.add,
    test.add,
    prove.add,
    check.add,
    init.add,
    schema.add,
    sim.add,
    demo.add,
)
