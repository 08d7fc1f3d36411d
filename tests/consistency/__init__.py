# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""Clients that are killed at random, and the proof that what they saw was in order.

In the manner of Jepsen's tests: `clients.py` runs transactions and writes down what each was asked
and answered, `check.py` looks in that history for what a strictly serializable database cannot
show. `python -m tests.consistency --seconds 3600` runs it for as long as asked.
"""
