"""Plans with torch's operators between them compute what the network computes."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ticket import kernels
from ticket.errors import TicketError
from ticket.exporting.decode import decode
from ticket.exporting.lower import lower
from ticket.exporting.program import PlanCall, Program, assemble, run_plans
from ticket.exporting.value_type import ValueType

pytestmark = pytest.mark.skipif(
    not kernels.describe().compiled, reason="plans run by the compiled operators"
)


class Gate(nn.Module):
    """Multiply channels by what their means say, squeezed and excited."""

    def __init__(self, channels: int, last: nn.Module) -> None:
        super().__init__()
        self.ways = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 2, 1), nn.ReLU(), nn.Conv2d(2, channels, 1)
        )
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        """Return x, gated."""
        result: Tensor = x * self.last(self.ways(x))
        return result


class Beside(nn.Module):
    """Add, or join, what goes past."""

    def __init__(self, inner: nn.Module, joins: bool) -> None:
        super().__init__()
        self.inner = inner
        self.joins = joins

    def forward(self, x: Tensor) -> Tensor:
        """Return both."""
        made = self.inner(x)
        return torch.cat([made, x], 1)[:, : x.shape[1]] if self.joins else made + x


class Tokens(nn.Module):
    """Normalise over the channels, as transformers do, by a shape that reads the batch."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return x, normalised at each pixel."""
        n, c, h, w = x.shape
        tokens = self.norm(x.permute(0, 2, 3, 1).reshape(n, h * w, c))
        result: Tensor = tokens.transpose(1, 2).reshape(n, c, h, w)
        return result


def drawn(draw: random.Random) -> nn.Module:
    """Draw a network for images of 3 x 6 x 6 in which something is unknown."""
    torch.manual_seed(draw.randrange(2**31))
    channels, layers = 3, list[nn.Module]()
    unknown = (nn.SiLU(), nn.PReLU(), nn.Sigmoid(), nn.GELU(), nn.Hardswish())
    for _ in range(draw.randint(2, 5)):
        made = draw.choice((2, 3, 4))
        conv = nn.Conv2d(channels, made, 3, padding=1)
        match draw.randrange(6):
            case 0:
                layers.append(nn.Sequential(conv, nn.BatchNorm2d(made), nn.ReLU()))
                channels = made
            case 1:
                layers.append(nn.Sequential(conv, draw.choice(unknown)))
                channels = made
            case 2:
                layers.append(Gate(channels, draw.choice((*unknown, nn.ReLU6()))))
            case 3:
                same = nn.Conv2d(channels, channels, 3, padding=1)
                inner = nn.Sequential(same, draw.choice((*unknown, nn.ReLU())))
                layers += [Beside(inner, draw.random() < 0.5), nn.ReLU()]
            case 4:
                layers.append(Tokens(channels))
            case _:
                layers += [nn.ReLU(), draw.choice(unknown)]
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 4), nn.LogSoftmax(1))
    network = nn.Sequential(*layers, *head).eval()
    for weight in network.parameters():
        if weight.dim() == 4:
            weight.data *= torch.rand_like(weight) < 0.5
    return network


def program_of(network: nn.Module) -> Program:
    return assemble(lower(network, (3, 6, 6)).graph, {"batch": 0}, ValueType.FP32)


@settings(max_examples=12, deadline=None)
@given(draw=st.randoms(use_true_random=False))
def test_any_network_with_operators_of_torch_computes_what_it_computed(draw: random.Random) -> None:
    network = drawn(draw)
    program = program_of(network)

    assert any(not isinstance(step, PlanCall) for step in program.steps)
    for batch in (1, 3):
        images = torch.randn(batch, 3, 6, 6)
        with torch.no_grad():
            wanted = network(images)
        torch.testing.assert_close(run_plans(program, images), wanted, rtol=1e-4, atol=1e-4)


def test_every_layer_of_a_network_with_another_activation_runs_in_a_plan() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.SiLU()
    ).eval()
    program = program_of(network)
    layers = [len(decode(plan).stored) - decode(plan).stored.count(None) for plan in program.plans]

    assert layers == [1, 2]
    assert program.constants == ()


def test_tensors_of_torchs_operators_are_held_once() -> None:
    act = nn.PReLU(1)
    program = program_of(nn.Sequential(nn.Conv2d(3, 4, 1), act, nn.Conv2d(4, 4, 1), act).eval())

    assert [list(tensor.shape) for tensor in program.constants] == [[1]]


def test_the_first_plan_tells_of_all_steps_and_the_others_their_place() -> None:
    program = program_of(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Conv2d(4, 4, 3), nn.GELU()).eval()
    )

    assert [decode(plan).metadata for plan in program.plans] == [
        {
            "batch": 0,
            "program": {
                "input": [3, 6, 6],
                "output": [4, 2, 2],
                "steps": [
                    {"plan": 0, "reads": [0], "makes": 1},
                    {"operator": "aten.silu.default", "reads": [1], "makes": 2},
                    {"plan": 1, "reads": [2], "makes": 3},
                    {"operator": "aten.gelu.default", "reads": [3], "makes": 4},
                ],
            },
        },
        {"batch": 0, "part": 1},
    ]


def test_a_network_of_which_nothing_is_known_is_refused() -> None:
    with pytest.raises(TicketError, match="no layer of the network is known"):
        program_of(nn.Sequential(nn.SiLU(), nn.Flatten(), nn.Softmax(1)).eval())
