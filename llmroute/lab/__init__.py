"""The lab: what can be said of policies without a call: tests, differences, proofs, analyses."""
