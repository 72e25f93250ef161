"""One thread for torch, and reproducible hypothesis runs."""

import os

from hypothesis import settings

try:
    import torch
except ImportError:
    pass
else:
    # On a shared machine two threads were up to a hundred times slower than one.
    torch.set_num_threads(1)

settings.register_profile("default", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True)
# pytest --hypothesis-profile=thorough
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("ci" if os.environ.get("CI") else "default")
