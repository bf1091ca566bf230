"""The trial of a device: its answers against float64 on the CPU, twice the same, and how fast. About a minute.

Each part yields findings in the setup check's form; in between comes what is under way.
"""

import gc
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.runs.device_rates import write_device_rates
from engine.setup_check.finding import Finding, Status
from engine.setup_check.probe.device_trial import Part
from engine.training.device.device import Cpu, Device
from engine.training.device.samplers import process_memory
from engine.training.device.trial import model as trial_models
from engine.training.device.trial.agreement import Agreement, compare, ulps_apart, worst
from engine.training.device.trial.kernels import empty_row_is_finite, kernel_agreements
from engine.training.device.trial.model import STEPS, TrialModel, reference_model, trial_model
from engine.training.device.trial.rates import PRECISIONS, measure_rates
from engine.words.sizes import MIB, in_memory

Said = Iterator[Finding | str]

PARTS = 9
SEEN = "seen here"
WRONG = "Training would go on with wrong numbers and say nothing."
PROBE_BYTES = 64 * MIB
#: Between the two likeliest tokens, as a share of the logits' size: nearer ones may change places by rounding.
TIE = 1e-3


@dataclass(frozen=True)
class Tolerance:
    """Largest error allowed, as `Agreement` counts it. A CPU stays below a tenth of each in float32, a half in
    bfloat16."""

    kernel: float
    forward: float
    gradient: float
    change: float


TOLERANCES = {
    "float32": Tolerance(kernel=1e-4, forward=1e-4, gradient=5e-4, change=5e-3),
    "bfloat16": Tolerance(kernel=2e-2, forward=5e-2, gradient=1e-1, change=1e-1),
}


def device_trial(device: Device, runs: Path) -> Iterator[Finding | Part]:
    """Everything, in the order in which one part rests on another. The rates are kept in `runs`."""
    number = 0
    for said in _said(device, runs):
        if isinstance(said, Finding):
            yield said
        else:
            number += 1
            yield Part(said, number, PARTS)


def _said(device: Device, runs: Path) -> Said:
    """Findings, and as strings the parts that they come from."""
    device.prepare()
    yield chosen(device)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        before = process_memory() | device.memory()
        for name, tolerance in TOLERANCES.items():
            precision: torch.dtype = getattr(torch, name)
            yield f"{name}: single operators"
            agreements = list(kernel_agreements(device.place, precision, tolerance.kernel))
            yield agreement_finding(f"device-{name}-kernels", f"{name} operators", agreements, "NumPy")
        yield empty_rows(device)
        yield from model_findings(device)
        yield random_numbers(device)
        yield memory_counters(device, before)
        if device.kind == "mps":
            yield fallbacks([str(one.message) for one in warned])
    yield from rates(device, runs)


def chosen(device: Device) -> Finding:
    """What is tried; without an accelerator that it is the CPU."""
    alone = device.kind == "cpu"
    return Finding(
        id="device",
        group="device",
        status="info" if alone else "ok",
        title=f"No accelerator: the CPU is tried in the same way ({device.chip()})"
        if alone
        else f"{device.title}: {device.chip()}",
        found=f"torch {torch.__version__}, {device.kind}, {torch.get_num_threads()} CPU threads",
        why="A run of the real model on a CPU takes weeks; the demo's takes ten minutes." if alone else "",
        source=SEEN,
    )


def agreement_finding(id: str, what: str, agreements: Sequence[Agreement], reference: str) -> Finding:
    """One finding about many tensors. It names the first that is outside: the later ones follow from it."""
    outside = [one for one in agreements if not one.well]
    furthest = worst(agreements)
    allowed = agreements[0].allowed
    if not outside:
        title = f"{what}: as in {reference}, within {furthest.error:.0e}"
        found = f"{len(agreements)} tensors, furthest off: {furthest}"
    else:
        title = f"{what}: wrong at {outside[0].name}"
        found = (
            f"first {outside[0]}, furthest {furthest}; {len(outside)} of {len(agreements)} tensors are off"
        )
    return Finding(
        id=id,
        group="device",
        status="fail" if outside else "ok",
        title=title,
        found=found,
        expected=f"at most {allowed:.0e}: root mean square of the difference over that of the reference",
        why=WRONG if outside else "",
        source=SEEN,
    )


def model_findings(device: Device) -> Said:
    """Forward pass, gradients and steps in both precisions; the repetition and the answers in float32."""
    for name, tolerance in TOLERANCES.items():
        precision: torch.dtype = getattr(torch, name)
        yield f"{name}: the bundled model, forward"
        tried, reference = trial_model(precision, device.place), reference_model(precision)
        found = compare(trial_models.forward(tried), trial_models.forward(reference), tolerance.forward)
        yield agreement_finding(f"device-{name}-forward", f"{name} forward pass", found, "float64 on the CPU")
        yield f"{name}: {STEPS} optimizer steps"
        ours = trial_models.steps(tried, fused=device.fused_optimizer)
        theirs = trial_models.steps(reference, fused=False)
        gradients = compare(ours.gradients, theirs.gradients, tolerance.gradient)
        yield agreement_finding(
            f"device-{name}-gradients", f"{name} gradients", gradients, "float64 on the CPU"
        )
        changes = compare(ours.changes, theirs.changes, tolerance.change)
        yield agreement_finding(
            f"device-{name}-steps", f"{name} weights after {STEPS} steps", changes, "float64 on the CPU"
        )
        if name == "float32":
            yield f"the same {STEPS} steps twice"
            yield repetition(device, tried)
            yield "greedy answers"
            yield same_answers(device, tried, reference)


def repetition(device: Device, tried: TrialModel) -> Finding:
    """Whether the same steps, dropout included, end with the same bits."""
    one, other = (trial_models.steps(tried, fused=device.fused_optimizer, dropout=True) for _ in range(2))
    apart = {name: ulps_apart(one.weights[name], other.weights[name]) for name in one.weights}
    name = max(apart, key=lambda key: apart[key])
    equal = apart[name] == 0 and one.losses == other.losses
    promised = device.kind == "cpu"
    status: Status = "ok" if equal else "fail" if promised else "warn"
    return Finding(
        id="device-repeat",
        group="device",
        status=status,
        title=f"The same {STEPS} steps twice end with the same bits"
        if equal
        else f"The same {STEPS} steps twice differ, most in {name}",
        found="bit-equal"
        if equal
        else f"up to {apart[name]:,} float32 numbers apart; losses {one.losses}, {other.losses}",
        expected="bit-equal",
        why=""
        if equal
        else "A run that was killed and resumed ends near the unbroken one, not on its bytes.",
        source=SEEN,
    )


def same_answers(device: Device, tried: TrialModel, reference: TrialModel) -> Finding:
    """Whether greedy answers are the CPU's, token by token, up to where the CPU itself could go either way."""
    ours = trial_models.answers(tried, device)
    theirs = trial_models.answers(reference, Cpu(torch.device("cpu")))
    count = min(ours.shape[1], theirs.shape[1])
    differing: list[str] = []
    ties = 0
    for row, (mine, wanted) in enumerate(zip(ours[:, :count], theirs[:, :count], strict=True)):
        places = (mine != wanted).nonzero()
        if not len(places):
            continue
        place = int(places[0])
        logits = trial_models.next_logits(reference, row, wanted[:place])
        gap = float(logits[wanted[place]] - logits[mine[place]]) / float(logits.std())
        if gap < TIE:
            ties += 1
        else:
            differing.append(f"answer {row + 1}, token {place + 1}: {gap:.2f} standard deviations apart")
    told = f"{len(theirs)} answers of {count} tokens" + (f", {ties} part at a tie" if ties else "")
    return Finding(
        id="device-answers",
        group="device",
        status="fail" if differing else "ok",
        title="Greedy answers differ from the CPU's" if differing else "Greedy answers are the CPU's",
        found="; ".join(differing) or told,
        expected="the tokens of float64 on the CPU",
        why="Reports would say what the model does not." if differing else "",
        source=SEEN,
    )


def empty_rows(device: Device) -> Finding:
    """What attention answers for a row that sees nothing; the engine has none, so this is for knowing."""
    finite = empty_row_is_finite(device.place)
    return Finding(
        id="device-empty-rows",
        group="device",
        status="ok" if finite else "info",
        title="Attention answers with numbers where nothing is to be seen"
        if finite
        else "Attention answers NaN where nothing is to be seen; the engine leaves no such row",
        found="finite" if finite else "NaN",
        expected="finite, or no such row: in a batch padded on the left, padding sees all",
        source=SEEN if finite else "cited: pytorch#156707, pytorch#167515",
    )


def random_numbers(device: Device) -> Finding:
    """Whether a seed decides what is drawn, and a saved state goes on where it was: resume rests on the first."""

    def draw() -> torch.Tensor:
        return torch.rand(1000, device=device.place).cpu()

    torch.manual_seed(7)
    first = draw()
    state = device.random_state()
    second = draw()
    device.set_random_state(state)
    again = draw()
    torch.manual_seed(7)
    wrong = [
        words
        for words, well in (
            ("a seed does not decide the draw", torch.equal(first, draw())),
            ("a state that is put back draws otherwise", torch.equal(second, again)),
            ("two draws are the same", not torch.equal(first, second)),
        )
        if not well
    ]
    return Finding(
        id="device-random",
        group="device",
        status="fail" if wrong else "ok",
        title=f"Random numbers: {wrong[0]}" if wrong else "A seed decides every draw",
        found="; ".join(wrong) or "seeded twice: equal; state put back: equal",
        expected="draws that follow from the seed alone",
        why="Dropout would differ after a resume." if wrong else "",
        source=SEEN,
    )


def memory_counters(device: Device, before: dict[str, float]) -> Finding:
    """Whether the counters see a tensor come and go, and what the trial left behind."""
    gc.collect()
    if device.kind == "cpu":
        now = process_memory()["memory/process"]
        return Finding(
            id="device-memory",
            group="device",
            status="info",
            title="The CPU has no memory of its own: the process is what counts",
            found=f"process: {before['memory/process'] / MIB:.0f} MiB before, {now / MIB:.0f} MiB after",
            source=SEEN,
        )
    device.empty_cache()
    rested = device.memory()
    block = torch.ones(PROBE_BYTES // 4, device=device.place)
    device.synchronize()
    held = device.memory()
    del block
    device.empty_cache()
    after = device.memory()
    grew = held["memory/device"] - rested["memory/device"]
    left = after["memory/device"] - rested["memory/device"]
    well = grew >= PROBE_BYTES and left < PROBE_BYTES
    return Finding(
        id="device-memory",
        group="device",
        status="ok" if well else "warn",
        title="Memory counters see a tensor come and go"
        if well
        else "Memory counters do not follow what is held",
        found=f"before {_held(before)}; after {_held(after)}; {PROBE_BYTES // MIB} MiB held: {grew / MIB:+.0f} MiB, "
        f"let go: {left / MIB:+.0f} MiB; limit {in_memory(after['memory/device_limit'])}",
        expected=f"at least {PROBE_BYTES // MIB} MiB more while they are held, none after",
        why="" if well else "The gauges, and the stop before memory runs out, would be wrong.",
        source=SEEN,
    )


def fallbacks(warned: Sequence[str]) -> Finding:
    """Operators that the CPU did in the device's place."""
    slow = sorted(
        {one.split("'")[1] for one in warned if "fall back to run on the CPU" in one and "'" in one}
    )
    return Finding(
        id="device-fallback",
        group="device",
        status="warn" if slow else "ok",
        title=f"{len(slow)} operators run on the CPU in the GPU's place"
        if slow
        else "Every operator runs on the GPU",
        found=", ".join(slow),
        why="Results are right, and every step waits for them." if slow else "",
        source=SEEN,
    )


def rates(device: Device, runs: Path) -> Said:
    """Measure, keep and tell the rates of matrix products."""
    yield "matrix products in " + ", ".join(PRECISIONS)
    measured = measure_rates(device)
    told = ", ".join(f"{name} {_flops(value)}" for name, value in measured.matmul_flops.items())
    path = write_device_rates(runs, measured)
    yield Finding(
        id="device-rates",
        group="device",
        status="info",
        title=f"Matrix products: {told}",
        found=f"{measured.chip}; kept in {path}, where `plan` reads it",
        source=SEEN,
    )


def _held(memory: dict[str, float]) -> str:
    live, reserved = memory["memory/device"] / MIB, memory["memory/device_reserved"] / MIB
    return f"{live:.0f} MiB live, {reserved:.0f} MiB with the driver"


def _flops(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "not there"
    return f"{value / 1e12:.1f} TFLOP/s" if value >= 1e12 else f"{value / 1e9:.0f} GFLOP/s"
