"""``ucmsim report``: what UCM has under Cisco Unified Reporting."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.console import print_json
from lab.options import JsonOption, LanguageOption  # noqa: TC001 - typer reads annotations at run time
from wire.errors import OperatorError

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Reports on products, as Cisco Unified Reporting has them."""  # also keeps a single command a command


@app.command("phone-features")
def phone_features(
    feature: Annotated[
        str | None, typer.Option("--feature", help="Only this one, such as 'Security By Default': who has it.")
    ] = None,
    product: Annotated[
        str | None,
        typer.Option("--product", help="Only this one, such as 8865 or 'Cisco 8865': all that is known of it."),
    ] = None,
    language: LanguageOption = "en",
    *,
    as_json: JsonOption = False,
) -> None:
    """The Unified CM Phone Feature List: which phone models can do what, and who says so.

    Without options it is the whole matrix; with --feature the products that have it, those that have not, and those
    of which nobody says; with --product the product's features with their sources. With both it is one answer, and
    the exit code is 1 unless that is yes. The simulated phones behave as this list says.
    """
    from base.modelfile import shipped_table
    from base.phonemodels import Ability
    from lab import featurereport
    from lab.phonefeatures import find_feature, find_product

    table = shipped_table()
    try:
        wanted = find_feature(feature) if feature is not None else None
        model = find_product(table, product) if product is not None else None
    except OperatorError as error:
        raise typer.BadParameter(str(error)) from error
    report = featurereport.choose(table, wanted, model)
    if as_json:
        print_json(report.as_json())
    else:
        for line in report.lines(language):
            typer.echo(line)
    if wanted is not None and model is not None and wanted.of(model) is not Ability.YES:
        raise typer.Exit(1)
