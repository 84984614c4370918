from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from livefake.training.personal.plan import GPUS, Machine, Speeds, Work, make_plan, plan_table

GIB = 1 << 30
WORK = Work(
    footage=300, looks=4, guides=5, weights=3_300_000, teachers=600_000, flops=3.6e9, kept=60e6, side=256, batch=8,
    steps=400,
)  # fmt: skip
SPEEDS = Speeds(look=0.03, embed=0.2, example=0.045)
CPU = Machine("this CPU", 8 * GIB, 60e9, gpu=False)


def test_the_minutes_are_the_sum_of_what_can_be_reckoned_by_hand() -> None:
    plan = make_plan(WORK, SPEEDS, CPU)
    minutes = {stage.name: stage.minutes for stage in plan.stages}
    assert list(minutes) == ["extraction", "gate", "guides", "fine-tuning", "export"]
    assert minutes["extraction"] == pytest.approx(1200 * 0.03 / 60)
    assert minutes["gate"] == pytest.approx(600 * 0.2 / 60)
    assert minutes["fine-tuning"] == pytest.approx(400 * 3 * 8 * 3.6 / 60 / 60)
    assert plan.minutes == pytest.approx(sum(minutes.values()))
    assert plan.fits


def test_on_a_fast_gpu_making_examples_sets_the_pace() -> None:
    fast = next(stage for stage in make_plan(WORK, SPEEDS, GPUS[2]).stages if stage.name == "fine-tuning")
    assert fast.minutes == pytest.approx(400 * 8 * 0.045 / 60)


def test_memory_follows_the_formula_and_says_when_it_is_too_much() -> None:
    base, double = (make_plan(replace(WORK, batch=batch), SPEEDS, GPUS[0]) for batch in (8, 16))
    training = [next(one for one in plan.stages if one.name == "fine-tuning").memory for plan in (base, double)]
    assert training[1] - training[0] == pytest.approx(8 * (60e6 + 4 * 12 * 24 * 256**2))
    huge = replace(WORK, batch=256)
    assert [make_plan(huge, SPEEDS, gpu).fits for gpu in GPUS] == [False, False, True]
    assert all(make_plan(WORK, SPEEDS, gpu).fits for gpu in GPUS)
    assert not make_plan(WORK, SPEEDS, replace(CPU, memory=GIB)).fits


@given(
    footage=st.floats(1, 1e5),
    looks=st.floats(0.1, 30),
    batch=st.integers(1, 64),
    steps=st.integers(1, 5000),
    side=st.sampled_from([64, 128, 256]),
    machine=st.sampled_from([*GPUS, CPU]),
)
def test_more_work_never_costs_less(
    *, footage: float, looks: float, batch: int, steps: int, side: int, machine: Machine
) -> None:
    work = replace(WORK, footage=footage, looks=looks, batch=batch, steps=steps, side=side)
    more = replace(work, footage=footage * 2, batch=batch + 1, steps=steps + 1, side=side * 2)
    one, other = make_plan(work, SPEEDS, machine), make_plan(more, SPEEDS, machine)
    assert other.minutes > one.minutes
    assert other.memory >= one.memory
    assert other.disk >= one.disk
    assert one.fits or not other.fits


def test_nothing_to_do_is_no_plan() -> None:
    with pytest.raises(ValueError, match="above nothing"):
        make_plan(replace(WORK, footage=0), SPEEDS, CPU)
    with pytest.raises(ValueError, match="negative"):
        make_plan(replace(WORK, kept=-1), SPEEDS, CPU)


def test_the_table_has_a_column_for_each_machine_and_fits_a_terminal() -> None:
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(plan_table([make_plan(WORK, SPEEDS, machine) for machine in (*GPUS, CPU)]))
    text = console.export_text()
    for words in ("T4 16 GB", "V100 32 GB", "A100 80 GB", "this CPU", "fine-tuning", "fits", "yes"):
        assert words in text


def test_what_is_measured_is_measured() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from livefake.training.nets import RefineNet, Widths
    from livefake.training.personal.speeds import available_memory, kept_bytes, teachers_weights, this_cpu, time_of

    net = RefineNet(Widths(8, 8, 8, 8, 8))
    kept = kept_bytes(net, 64, short=False)
    # Four times the pixels keep four times the bytes; the input alone is 14 planes of them.
    assert kept_bytes(net, 128, short=False) == pytest.approx(4 * kept, rel=0.01)
    assert kept > 14 * 64 * 64 * 4
    assert kept_bytes(net, 64, short=True) == kept / 2
    assert teachers_weights() > 100_000
    assert available_memory() > 1e6
    times = iter(range(0, 10**13, 500_000_000))
    assert time_of(lambda: None, lambda: next(times)) == pytest.approx(0.5)
    times = iter(range(0, 10**13, 500_000_000))
    machine = this_cpu(net, lambda: next(times), threads=1)
    assert machine.speed > 0
    assert not machine.gpu
    assert all(values.grad is None for values in net.parameters())
