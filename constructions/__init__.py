"""How a transformer does it: from a plan to weights, and the model that carries them."""

from constructions.build import build
from constructions.compile import compile_plan
from constructions.conditional import ConditionalTransformer, build_conditional, load_conditional
from constructions.pretrained import load
from constructions.summary import Summary, summarize
from constructions.unrolled import UnrolledTransformer
from constructions.verify import Verification, verify

__all__ = [
    "ConditionalTransformer",
    "Summary",
    "UnrolledTransformer",
    "Verification",
    "build",
    "build_conditional",
    "compile_plan",
    "load",
    "load_conditional",
    "summarize",
    "verify",
]
