"""Commands on the twins: twin list, run, validate, calibrate, shap."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli._context import RayOption, emit, say

if TYPE_CHECKING:
    from orchestrator.twins.scoreboard import Score

twin_app = typer.Typer(
    help="Physics twins of published systems, and their scoreboard.", no_args_is_help=True
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A twin of `twin list`.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    twin_app.command("list")(twin_list)
    twin_app.command("run")(twin_run)
    twin_app.command("validate")(twin_validate)
    twin_app.command("calibrate")(twin_calibrate)
    twin_app.command("shap")(twin_shap)
    app.add_typer(twin_app, name="twin")


def twin_list() -> None:
    """List the twins with their parameters, observables and sources."""
    from orchestrator.twins.catalogue import TWINS
    from orchestrator.twins.running import twin_document

    document = {"twins": [twin_document(t) for t in TWINS.values()]}

    def human() -> None:
        for entry in document["twins"]:
            typer.echo(f"{entry['name']}  {entry['description']}\n    {entry['paper']}")

    emit(document, human)


def twin_run(
    name: NameArgument,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="In the station's unit; repeatable."),
    ] = None,
    lab_seed: Annotated[
        int | None,
        typer.Option("--lab-seed", min=0, help="The hidden lab of this seed, not the nominal."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="full or reduced, where a twin has both.")
    ] = None,
    spectra: Annotated[
        Path | None,
        typer.Option("--spectra", metavar="FILE", help="Write raw spectra (.json or .npz)."),
    ] = None,
    files: Annotated[
        Path | None,
        typer.Option("--files", metavar="DIR", help="Write detectors' files (.ptu, .edf, .csv)."),
    ] = None,
) -> None:
    """Make and measure one recipe on a twin; what is not set has its default."""
    from orchestrator.twins.catalogue import twin
    from orchestrator.twins.running import (
        check_folder,
        check_suffix,
        parse_settings,
        run_twin,
        write_detector_files,
        write_spectra,
    )

    chosen = twin(name)
    if spectra is not None:
        check_suffix(spectra)
    if files is not None:
        check_folder(files)
    recipe = parse_settings(chosen, assignments or [])
    document, raw = run_twin(chosen, recipe, lab_seed, model)
    if spectra is not None:
        write_spectra(spectra, raw)
        say(f"{len(raw)} spectra written to {spectra}")
    if files is not None:
        say(f"{write_detector_files(files, raw)} files written to {files}")
    emit(document, lambda: _run_text(document))


def _run_text(document: dict[str, Any]) -> None:
    from orchestrator.cli._tables import value_text

    outcome = document["failure"] or document["verdict"]["kind"]
    typer.echo(f"{document['twin']} ({document['model']} model): {outcome}")
    for reason in (*document["verdict"]["reasons"], *document["warnings"]):
        typer.echo(f"  {reason}")
    for title in ("recipe", "achieved", "observables"):
        if document[title]:
            typer.echo(f"{title}:")
            for key, value in document[title].items():
                typer.echo(f"  {key:24} {value_text(value)}")
    for key, series in document["series"].items():
        unit = f" [{series['unit']}]" if series["unit"] else ""
        typer.echo(f"series {key}: {len(series['time'])} values{unit}; all with --json")


def twin_validate(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="All twins, if left out.")
    ] = None,
    rows: Annotated[
        list[str] | None, typer.Option("--row", metavar="ID", help="This row only; repeatable.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write comparison plots (PNG).")
    ] = None,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="How many [default: 2].")
    ] = None,
    ray: RayOption = None,
) -> None:
    """Judge every published figure there and then, beside a null model."""
    from orchestrator.errors import NotFoundError
    from orchestrator.twins.catalogue import twin
    from orchestrator.twins.published import published_rows
    from orchestrator.twins.scoreboard import document, score

    twins = [twin(n).name for n in names] if names else None
    known = {r.id for r in published_rows()}
    if unknown := sorted(set(rows or ()) - known):
        raise NotFoundError(f"the table has no row {', '.join(unknown)}; it has MP-01 to FL-22")
    count = processes if ray else processes or 2
    scores = score(twins, rows or None, processes=count, ray=ray, progress=say)
    found = document(scores)
    if out is not None:
        from orchestrator.twins.figures import write_figures

        found["figures"] = [str(p) for p in write_figures(out, scores)]
        say(f"{len(found['figures'])} figures in {out}")
    emit(found, lambda: _validate_text(scores, found["summary"]))


def _validate_text(scores: list[Score], summary: dict[str, Any]) -> None:
    from orchestrator.cli._scoreboard import print_scoreboard

    print_scoreboard(scores, summary)


def twin_calibrate(
    name: NameArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the parameter file here (TOML)."),
    ] = None,
    evaluations: Annotated[
        int, typer.Option("--evaluations", min=0, help="Most steps; 0 gives the posterior alone.")
    ] = 4,
) -> None:
    """Fit a twin on its C rows again, with priors; print the parameter file with posterior."""
    from orchestrator.errors import InputRefusedError
    from orchestrator.twins.calibration import (
        calibrate,
        calibration_document,
        fit_of,
        parameter_file,
    )
    from orchestrator.twins.catalogue import twin

    chosen = twin(name)
    if out is not None and out.exists():
        raise InputRefusedError(f"{out} exists and is not written over; name another file")
    fit = fit_of(chosen)
    found = calibrate(chosen, evaluations, say, fit)
    text = parameter_file(chosen, found)
    if out is not None:
        out.write_text(text, encoding="utf-8")
        say(f"written to {out}; package data are as they were")
    document = calibration_document(chosen, found, fit)
    emit(document, lambda: _calibrate_text(document, None if out else text))


def _calibrate_text(document: dict[str, Any], text: str | None) -> None:
    from orchestrator.cli._tables import table

    say(
        f"cost {document['start_cost']:.4g} before, {document['cost']:.4g} after "
        f"{document['evaluations']} evaluations; {document['calibration_numbers']} numbers, "
        f"{len(document['parameters'])} free constants"
    )
    if text is not None:
        typer.echo(text, nl=False)
        return
    rows = [
        [p["name"], f"{p['was']:.5g}", f"{p['value']:.5g}", f"{p['posterior_sd']:.2g}", p["rows"]]
        for p in document["parameters"]
    ]
    typer.echo(table(["constant", "was", "is", "posterior sd", "rows"], rows))


def twin_shap() -> None:
    """Explain virtual plates by the authors' forest and SHAP, beside the published ranking."""
    from orchestrator.twins.larp_shap import ScienceMissingError, shap_document

    try:
        document = shap_document()
    except ScienceMissingError as error:
        from orchestrator.errors import InputRefusedError

        raise InputRefusedError(str(error)) from error
    emit(document, lambda: _shap_text(document))


def _shap_text(document: dict[str, Any]) -> None:
    from orchestrator.cli._tables import table

    for target in document["targets"]:
        typer.echo(f"{target['target']}: mean |SHAP| [{target['unit']}]")
        rows = [
            [
                f["feature"],
                f"{f['rank']}",
                f"{f['size']:.3g}",
                f"{f['sign']:+.2f}",
                _blank(f["published_rank"]),
                _blank(f["published_size"]),
            ]
            for f in target["features"]
        ]
        header = ["feature", "rank", "ours", "sign", "published rank", "published"]
        typer.echo(table(header, rows) + "\n")


def _blank(value: float | int | None) -> str:
    return "" if value is None else f"{value:g}"
