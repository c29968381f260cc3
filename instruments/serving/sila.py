"""A station as a SiLA 2 server, for laboratories whose own software speaks that.

One feature, `dotpilot/stations/StationService/v1`: parameters, observables, a check, one recipe at
a time as an observable command with steps as intermediate responses, a cancellation, the safe
state. What goes wrong is a defined execution error with the message that a command would print.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any
from uuid import UUID, uuid5

from sila2.framework import DefinedExecutionError, Feature
from sila2.server import FeatureImplementationBase, SilaServer
from sila2.server.encryption import generate_self_signed_certificate

from instruments.errors import (
    InstrumentError,
    RecipeRefusedError,
    StationStoppedError,
    TrialFailedError,
)
from instruments.serving.runner import (
    BusyError,
    CancelledError,
    NotReadyError,
    StationRunner,
    checked_recipe,
)
from instruments.station import Analysis, AttemptKey, Measurement, ParameterDeclaration

VENDOR = "https://sila-standard.com"  # the standard wants an address; dotpilot has none of its own
_NAMESPACE = UUID("3d0e2a0e-7a53-4bd2-8f6e-61d9c4b4a6a1")  # drawn once; servers keep their UUIDs
_ERRORS: tuple[tuple[type[InstrumentError], str], ...] = (
    (BusyError, "StationBusy"),
    (CancelledError, "RunCancelled"),
    (RecipeRefusedError, "RecipeRefused"),
    (TrialFailedError, "TrialFailed"),
    (StationStoppedError, "StationStopped"),
    (NotReadyError, "StationNotReady"),
    (InstrumentError, "DeviceLost"),
)


class _Service(FeatureImplementationBase):  # type: ignore[misc, unused-ignore]
    """The feature's properties and commands, as the library calls them."""

    def __init__(self, server: SilaServer, feature: Any, runner: StationRunner) -> None:
        super().__init__(server)
        self._feature, self._runner = feature, runner
        self._steps = 0  # that the last whole run told

    def get_StationName(self, *, metadata: Any) -> str:  # noqa: N802
        """Name and version."""
        about = self._runner.station.description
        return f"{about.name} {about.version}"

    def get_Parameters(self, *, metadata: Any) -> list[tuple[Any, ...]]:  # noqa: N802
        """Every declared parameter."""
        return [_parameter(p) for p in self._runner.station.description.parameters]

    def get_Observables(self, *, metadata: Any) -> list[tuple[str, str, str]]:  # noqa: N802
        """Every declared observable."""
        declared = self._runner.station.description.observables
        return [(o.name, o.description, o.unit) for o in declared]

    def get_State(self, *, metadata: Any) -> str:  # noqa: N802
        """idle, running or stopped."""
        return self._runner.state

    def CheckRecipe(self, said: Any, *, metadata: Any) -> list[tuple[str, ...]]:  # noqa: N802
        """Name every broken limit."""
        found = self._runner.station.check(self._recipe(said))
        return [(v.quantity, str(v.value), v.limit, v.unit, v.message) for v in found]

    def RunRecipe(  # noqa: N802
        self, said: Any, trial: int, attempt: int, *, metadata: Any, instance: Any
    ) -> tuple[Any, ...]:
        """Make and measure one recipe; steps go out as they begin."""
        recipe = self._recipe(said)
        if trial < 1 or attempt < 1:
            raise self._error(
                "RecipeNotUnderstood",
                f"trial and attempt are counted from 1, but got {trial} and {attempt}",
            )
        instance.begin_execution()
        told = 0

        def say(text: str) -> None:
            nonlocal told
            told += 1
            if self._steps:  # without an earlier run nobody knows how many are to come
                instance.progress = told / (1 + max(told, self._steps))
            instance.send_intermediate_response(text)

        try:
            made, analysis = self._runner.run(recipe, AttemptKey(trial, attempt), say)
        except InstrumentError as error:
            name = next(name for kind, name in _ERRORS if isinstance(error, kind))
            raise self._error(name, str(error)) from error
        self._steps = told
        units = {p.name: p.unit for p in self._runner.station.description.parameters}
        return _responses(made, analysis, units.__getitem__)

    def CancelRun(self, *, metadata: Any) -> bool:  # noqa: N802
        """End the run under way at its next step."""
        return self._runner.cancel()

    def GoToSafeState(self, *, metadata: Any) -> None:  # noqa: N802
        """Bring every instrument to its safe state."""
        try:
            self._runner.make_safe()
        except InstrumentError as error:
            raise self._error("StationNotSafe", str(error)) from error

    def _recipe(self, said: Any) -> dict[str, float | int | str]:
        names = [quantity.Name for quantity in said]
        twice = sorted({n for n in names if names.count(n) > 1})
        try:
            if twice:
                raise ValueError(f"a recipe names a parameter once, but {', '.join(twice)} twice")
            given = {q.Name: (q.Amount, q.Unit) for q in said}
            return checked_recipe(self._runner.station, given)
        except ValueError as error:
            raise self._error("RecipeNotUnderstood", str(error)) from error

    def _error(self, name: str, message: str) -> DefinedExecutionError:
        return DefinedExecutionError(self._feature.defined_execution_errors[name], message)


class StationServer:
    """A station's SiLA 2 server.

    Args:
        runner: Its station.
        lab: Name of the place; with the station's it makes the server's lasting UUID.
    """

    def __init__(self, runner: StationRunner, lab: str) -> None:
        about = runner.station.description
        self._runner, self.uuid = runner, uuid5(_NAMESPACE, f"{lab} {about.name}")
        self._server = SilaServer(
            f"{about.name} at {lab}",
            "DotpilotStation",
            about.description,
            "1.0",
            VENDOR,
            self.uuid,
        )
        text = files("instruments.serving").joinpath("StationService.sila.xml")
        feature = Feature(text.read_text(encoding="utf-8"))
        self._server.set_feature_implementation(feature, _Service(self._server, feature, runner))

    def start(
        self,
        host: str,
        port: int,
        *,
        insecure: bool = False,
        certificate: tuple[bytes, bytes] | None = None,
        discovery: bool = False,
    ) -> str:
        """Serve from now on.

        Args:
            host: Address to listen at.
            port: Port to listen at.
            insecure: Whether the wire is not encrypted, against the standard.
            certificate: Private key and certificate (PEM); one that it signs itself, if left out.
            discovery: Whether it announces itself on the network.

        Returns:
            The certificate (PEM) that clients need; empty for a wire that is not encrypted.

        Raises:
            InstrumentError: the port is taken, or the address is none of this machine.
        """
        try:
            if insecure:
                self._server.start_insecure(host, port, enable_discovery=discovery)
                return ""
            key, chain = certificate or generate_self_signed_certificate(self.uuid, host)
            announced = chain if discovery and certificate is None else None
            self._server.start(host, port, key, chain, announced, enable_discovery=discovery)
            return chain.decode("ascii")
        except (OSError, RuntimeError, ValueError) as error:
            raise InstrumentError(
                f"a SiLA 2 server must listen at an address of this machine and a free port, but "
                f"{host}:{port} gave: {error}; choose others"
            ) from error

    def stop(self) -> None:
        """End the run under way, make the station safe, and serve no more.

        Raises:
            StationStoppedError: instruments did not confirm their safe state.
        """
        try:
            self._runner.make_safe()
        finally:
            if self._server.running:
                self._server.stop()


def _parameter(p: ParameterDeclaration) -> tuple[Any, ...]:
    limits = [] if p.low is None or p.high is None else [float(p.low), float(p.high)]
    only = [] if p.when is None else [p.when[0], *p.when[1]]
    default = [] if p.default is None else [str(p.default)]
    return p.name, p.description, p.kind, p.unit, limits, list(p.choices), default, only


def _responses(
    made: Measurement, analysis: Analysis, unit_of: Callable[[str], str]
) -> tuple[Any, ...]:
    achieved = [(n, str(v), unit_of(n)) for n, v in made.achieved.items()]
    observables = [(n, o.value, o.se, o.unit, o.method) for n, o in analysis.observables.items()]
    verdict = analysis.verdict
    return (
        achieved,
        observables,
        verdict.kind,
        list(verdict.reasons),
        verdict.failure,
        list(made.warnings),
    )
