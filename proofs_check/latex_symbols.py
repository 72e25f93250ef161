"""The LaTeX commands that the proofs use, and their characters."""

from __future__ import annotations

_GREEK = (
    "alpha=α beta=β gamma=γ delta=δ epsilon=ϵ varepsilon=ε zeta=ζ eta=η theta=θ kappa=κ lambda=λ "
    "mu=μ nu=ν xi=ξ pi=π rho=ρ varrho=ϱ sigma=σ tau=τ phi=ϕ varphi=φ chi=χ psi=ψ omega=ω Gamma=Γ "
    "Delta=Δ Theta=Θ Lambda=Λ Sigma=Σ Phi=Φ Psi=Ψ Omega=Ω Pi=Π Xi=Ξ ell=ℓ infty=∞ "
    "partial=∂ nabla=∇ top=⊤ dots=… ldots=… cdots=⋯"
)
_OPERATORS = (
    "le=≤ leq=≤ ge=≥ geq=≥ ne=≠ neq=≠ to=→ Rightarrow=⇒ Leftarrow=⇐ iff=⟺ in=∈ notin=∉ subset=⊂ "
    "succ=≻ succeq=⪰ prec=≺ preceq=⪯ sim=∼ approx=≈ equiv=≡ ll=≪ gg=≫ cdot=⋅ times=× circ=∘ "
    "otimes=⊗ pm=± mp=∓ forall=∀ exists=∃ mid=∣ setminus=∖ cup=∪ cap=∩ langle=⟨ rangle=⟩ lfloor=⌊ "
    "rfloor=⌋ lceil=⌈ rceil=⌉ sum=∑ prod=∏ int=∫ iint=∬ "
    "lVert=‖ rVert=‖ lvert=| rvert=| perp=⊥ propto=∝ mapsto=↦"
)


def _table(listing: str) -> dict[str, str]:
    pairs = (entry.split("=", 1) for entry in listing.split())
    return {f"\\{name}": character for name, character in pairs}


SYMBOLS = _table(_GREEK)
"""Letters."""
OPERATORS = {**_table(_OPERATORS), r"\|": "‖", r"\{": "{", r"\}": "}", r"\%": "%"}
"""Relations, operators and delimiters."""
SPACES = {
    r"\,": "0.17em",
    r"\:": "0.22em",
    r"\;": "0.28em",
    r"\ ": "0.33em",
    r"\quad": "1em",
    r"\qquad": "2em",
    r"\!": "-0.17em",
}
_FUNCTIONS = (
    "log=log exp=exp cos=cos sin=sin tan=tan cosh=cosh sinh=sinh tanh=tanh coth=coth max=max "
    "min=min sup=sup inf=inf lim=lim deg=deg det=det Re=Re Im=Im"
)
FUNCTIONS = {name.lstrip("\\"): words for name, words in _table(_FUNCTIONS).items()}
"""Names that are set upright."""
LIMITS = (r"\sum", r"\prod", r"\max", r"\min", r"\sup", r"\inf", r"\lim")
"""What has its scripts below and above."""
ACCENTS = {r"\hat": "^", r"\tilde": "~", r"\bar": "¯", r"\vec": "→", r"\dot": "˙"}
SIZES = {
    prefix + side: size
    for prefix, size in ((r"\big", "1.2em"), (r"\Big", "1.6em"), (r"\bigg", "2.1em"))
    for side in ("", "l", "r", "m")
}
BLACKBOARD = {"C": "ℂ", "E": "𝔼", "N": "ℕ", "P": "ℙ", "Q": "ℚ", "R": "ℝ", "Z": "ℤ"}
