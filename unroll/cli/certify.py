"""`unroll certify`: an error bound for a saved model, from its files alone."""

from __future__ import annotations

import click

from unroll.cli.model_options import model_argument
from unroll.cli.output import emit_json, json_option
from unroll.storage import read_json


@click.command("certify")
@model_argument
@json_option
def command(model_path: str, as_json: bool) -> int:
    """Audit the weights in DIR: a bound on the score error for every t in the range.

    Nothing is sampled and nothing of the builder is trusted: the saved tensors are read by a small
    interpreter of its own, in ball arithmetic. Exit status 1 if the bound exceeds the model's
    tolerance or the weights are not what they claim to be.
    """
    from proofs_check import CertificateError, audit  # imports sympy and flint

    try:
        certificate = audit(model_path)
    except CertificateError as error:
        if as_json:
            tol = read_json(f"{model_path}/model.json")["plan"]["tol"]
            refusal = {"bound": None, "terms": {}, "tol": tol, "reason": str(error)}
            emit_json({"passed": False, **refusal})
        else:
            click.echo(f"no certificate: {error}")
        return 1
    if as_json:
        emit_json({"passed": True, **certificate.to_dict(), "reason": None})
    else:
        click.echo(str(certificate))
    return 0
