"""The campaign service: ledger, loop, replay, reports and the command line."""
