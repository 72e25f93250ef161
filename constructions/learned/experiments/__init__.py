"""Experiments on what training finds: one command each, saved tables beside them.

``python -m constructions.learned.experiments NAME`` runs a small one on two cores; ``--full`` the
one whose table is in ``results/``.
"""
