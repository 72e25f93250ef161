"""Experiments on what training finds: one command each, saved tables beside them.

``python -m constructions.learned.experiments NAME`` runs a small one in seconds.
``--size standard`` runs the one whose table is in ``results/``, in minutes on two cores, and
``--size full`` one for a GPU.
"""
