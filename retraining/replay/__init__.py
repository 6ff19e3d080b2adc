"""What-if: time-ordered history played through the same cycle code under one or more policies,
beside fixed yardsticks.

A policy is a set of settings. Each play has a project of its own in a scratch folder, a registry in
memory and a clock that moves a few days a cycle; every batch is scored before it is learned from.
Nothing of the user's project is written.
"""
