"""Every pair of depths of a family: each tensor comes from the one that the rule names, whole.

What is expected is worked out here from the names of tensors and the paper's formulas alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import permutations, product

import pytest
import torch
from torch import Tensor, nn

from ticket.errors import UsageError
from ticket.seeds import stream
from ticket.tickets import Ticket, create
from ticket.transforming import Given
from ticket.transforming.anatomy import Anatomy, anatomy
from ticket.transforming.moves import check_family, moves
from ticket_plugins.models.imagenet_resnet import imagenet_resnet
from ticket_plugins.models.mlp import mlp
from ticket_plugins.models.resnet import resnet
from ticket_plugins.models.vgg import vgg
from ticket_plugins.models.wide_resnet import wide_resnet
from ticket_plugins.transforms.elastic import elastic
from ticket_plugins.transforms.mapping import Order, assign

IMAGE = (3, 16, 16)  # no network's tensors depend on the size
ORDERS: tuple[Order, ...] = ("append", "interpolate")

# Family -> depths. All pairs of a family fit, but for those of SHALLOW, which fit downward only.
DEPTHS = {
    "cifar-resnet": tuple(range(8, 111, 6)),
    "basic-resnet": (18, 26, 34),
    "bottleneck-resnet": (50, 101, 152),
    "wrn": (10, 16, 22, 28, 40),
    "vgg": (11, 13, 16, 19),
    "vgg-head": (1, 2, 3, 4),  # hidden layers of VGG-13
    "mlp": (1, 2, 3, 4, 5),
}
# A stage of these has no second unit.
SHALLOW = {("cifar-resnet", 8), ("wrn", 10), ("vgg", 11), ("vgg-head", 1), ("mlp", 1)}

# Those whose tensors are carried, too: all but the largest and the depths between.
CARRIED = {
    "cifar-resnet": (14, 20, 32, 56, 110),
    "basic-resnet": (18, 26, 34),
    "wrn": (16, 28, 40),
    "vgg": (13, 16, 19),
    "mlp": (2, 3, 4, 5),
}


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """Let go of the networks, which together are large, after the last test."""
    yield
    for cached in (network, bones, ticket):
        cached.cache_clear()


def build(family: str, depth: int) -> nn.Module:
    match family:
        case "cifar-resnet":
            return resnet(IMAGE, 10, depth=depth)
        case "wrn":
            return wide_resnet(IMAGE, 10, depth=depth, width=2)
        case "vgg":
            return vgg(IMAGE, 10, depth=depth)
        case "vgg-head":
            return vgg(IMAGE, 10, depth=13, hidden=(512,) * depth)
        case "mlp":
            return mlp((1, 28, 28), 10, hidden=(*[300] * depth, 100))
    return imagenet_resnet(IMAGE, 10, depth=depth)


@cache
def network(family: str, depth: int) -> nn.Module:
    """Return the network with all tensors zero: a ticket brings what they are to be."""
    with torch.device("meta"):  # to draw weights would take as long as all the rest
        net = build(family, depth).to_empty(device="cpu")
    for tensor in net.state_dict().values():
        tensor.zero_()
    return net


@cache
def bones(family: str, depth: int) -> Anatomy:
    with torch.device("meta"):  # names and shapes, no data
        return anatomy(build(family, depth), f"{family}{depth}")


@cache
def ticket(family: str, depth: int) -> Ticket:
    """Return a ticket in which no two tensors, and no two masks, have the same content."""
    net = network(family, depth)
    state: dict[str, Tensor] = {}
    masks: dict[str, Tensor] = {}
    for number, (name, tensor) in enumerate(net.state_dict().items(), 1):
        state[name] = torch.full_like(tensor, number)
        if tensor.dim() > 1:
            masks[name] = torch.ones_like(tensor, dtype=torch.bool)
            masks[name].view(-1)[: len(masks) + 1] = False
    record = {"model": {"name": f"{family}{depth}", "options": {}}, "start": 1000}
    return create(net, masks, record=record, state=state)


def stretch(ticket: Ticket, family: str, source: int, target: int, order: Order) -> Ticket:
    """Make of a ticket for the depth `source` one for the depth `target`."""
    given = Given(
        origin=lambda: network(family, source),
        own=lambda: network(family, source),
        fresh=lambda: network(family, target),
        dense=lambda: network(family, source),
        generator=stream(0),
        name=f"{family}{target}",
    )
    return elastic(ticket, given, order=order)


def through(source: Anatomy, target: Anatomy, order: Order) -> Mapping[str, str]:
    """Return the source of every target tensor, by names and shapes alone."""
    check_family(source, target)
    stages = {
        stage: assign(len(source.stages[stage]), len(units), order=order)
        for stage, units in target.stages.items()
    }
    return moves(source, target, stages).tensors


@cache
def place(name: str, depth: int) -> tuple[str, int, str] | None:
    """Return stage, unit and name within the unit of a tensor; None outside the stages.

    `depth` counts the wide hidden layers of an MLP or a head.
    """
    layer = re.fullmatch(r"fc(\d+)\.(\w+)", name)
    if layer and int(layer[1]) > depth:  # the one of 100 of an MLP
        return "narrow", 0, layer[2]
    if layer:
        return "wide", int(layer[1]) - 1, layer[2]
    unit = re.fullmatch(r"stages\.(\d)\.(\d+)\.(.+)", name)
    return (unit[1], int(unit[2]), unit[3]) if unit else None


def expected(family: str, source: int, target: int, order: Order) -> dict[str, str]:
    """Name the source of every tensor of the target, by the formulas of the paper."""
    shapes = bones(family, source).shapes, bones(family, target).shapes
    there, here = (
        {name: place(name, depth) for name in names}
        for names, depth in zip(shapes, (source, target), strict=True)
    )
    counts = [
        Counter(stage for stage, _ in {spot[:2] for spot in end.values() if spot})
        for end in (there, here)
    ]
    names = {spot: name for name, spot in there.items() if spot}
    found = {}
    for name, spot in here.items():
        if spot is None:
            found[name] = name
            continue
        stage, unit, within = spot
        n, m = counts[0][stage] - 1, counts[1][stage] - 1
        if unit > 0 and order == "append":
            unit = 1 + (unit - 1) % n  # a squeezed stage has no unit beyond n
        elif unit > 0 and m >= n:
            copies, more = divmod(m, n)
            head = more * (copies + 1)  # positions that hold the units with one copy more
            late = 1 + more + (unit - 1 - head) // copies
            unit = 1 + (unit - 1) // (copies + 1) if unit <= head else late
        elif unit > 0:
            copies, more = divmod(n, m)
            unit = 1 + (unit - 1) * copies + min(unit - 1, more)
        found[name] = names[stage, unit, within]
    return found


def same(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.view(-1).view(torch.uint8), other.view(-1).view(torch.uint8))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("family", DEPTHS)
def test_every_tensor_has_the_source_that_the_rule_names(family: str, order: Order) -> None:
    for source, target in product(DEPTHS[family], repeat=2):
        if (family, source) in SHALLOW and source != target:
            continue
        ends = bones(family, source), bones(family, target)
        tensors = through(*ends, order)
        assert tensors == expected(family, source, target, order), (source, target)
        assert tensors.keys() == ends[1].shapes.keys()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("family", "source", "target"),
    [(family, *pair) for family in CARRIED for pair in product(CARRIED[family], repeat=2)],
)
def test_every_tensor_has_the_content_of_its_source(
    family: str, source: int, target: int, order: Order
) -> None:
    given = ticket(family, source)
    made = stretch(given, family, source, target, order)
    origins = expected(family, source, target, order)
    assert made.state.keys() == origins.keys()
    for name, origin in origins.items():
        assert same(made.state[name], given.state[origin]), name
    assert made.masks.keys() == {n for n, o in origins.items() if o in given.masks}
    for name, mask in made.masks.items():
        assert same(mask, given.masks[origins[name]]), name
    if source == target:
        assert all(name == origin for name, origin in origins.items())
        assert made.kept == given.kept
    if source < target:
        back = stretch(made, family, target, source, order)
        for part, parent in ((back.state, given.state), (back.masks, given.masks)):
            assert part.keys() == parent.keys()
            assert all(same(part[name], parent[name]) for name in parent)


@pytest.mark.parametrize(("family", "depths"), CARRIED.items())
def test_no_two_tensors_of_a_source_are_alike(family: str, depths: tuple[int, ...]) -> None:
    for depth in depths:
        made = ticket(family, depth)
        first = [tensor.reshape(-1)[-1].item() for tensor in made.state.values()]
        assert len(set(first)) == len(first)
        gone = [int((~mask).sum()) for mask in made.masks.values()]
        assert len(set(gone)) == len(gone)
        assert 0 not in gone


REPEATS = {
    "cifar-resnet": "stage1 of {} repeats a unit with conv1.weight 16 x 16 x 3 x 3, conv2.weight 16",
    "wrn": "stage1 of {} repeats a unit with conv1.weight 32 x 32 x 3 x 3, conv2.weight 32 x 32",
    "vgg": "stage1 of {} repeats a unit with conv.weight 64 x 64 x 3 x 3; stage1 of vgg11 has none",
    "vgg-head": "head 512 of {} repeats a unit with weight 512 x 512; head 512 of vgg-head1 has",
    "mlp": "width 300 of {} repeats a unit with weight 300 x 300; width 300 of mlp1 has none",
}
UPWARD = [
    ((family, least), (family, depth), REPEATS[family].format(f"{family}{depth}"))
    for family, least in sorted(SHALLOW)
    for depth in DEPTHS[family]
    if depth > least
]
KINDS = ("basic-resnet", "bottleneck-resnet")
BLOCKS = [
    ((one, source), (other, target), "unit 0 of stage1 of .* 64 x 64 x 1 x 1")
    for one, other in permutations(KINDS)
    for source, target in product(DEPTHS[one], DEPTHS[other])
]
STRANGERS = [
    (("cifar-resnet", 20), ("vgg", 16), "vgg16 has stage4, with conv.weight 512 x 512 x 3 x 3"),
    (("vgg", 16), ("cifar-resnet", 20), "vgg16 has stage4, with conv.weight 512 x 512 x 3 x 3"),
    (("cifar-resnet", 20), ("basic-resnet", 18), "18 has stage4, with conv1.weight 512 x 512 x 3"),
    (("wrn", 16), ("bottleneck-resnet", 50), "50 has stage4, with conv1.weight 512 x 2048 x 1 x 1"),
    (("mlp", 2), ("vgg", 16), "vgg16 has stage1, with conv.weight 64 x 64 x 3 x 3; mlp2 has width"),
    (("cifar-resnet", 20), ("wrn", 22), "stage1 of wrn22 has conv1.weight 32 x 16 x 3 x 3, conv2"),
]


@pytest.mark.parametrize(("source", "target", "message"), [*UPWARD, *BLOCKS, *STRANGERS])
def test_a_pair_that_does_not_fit_is_refused_by_stage_and_shape(
    source: tuple[str, int], target: tuple[str, int], message: str
) -> None:
    ends = bones(*source), bones(*target)
    for order in ORDERS:
        with pytest.raises(UsageError, match=message) as refused:
            through(*ends, order)
        assert "\n" not in str(refused.value)


def test_no_two_families_fit_each_other() -> None:
    first = {family: depths[1] for family, depths in DEPTHS.items()}
    for source, target in permutations(first.items(), 2):
        with pytest.raises(UsageError):
            through(bones(*source), bones(*target), "append")


def test_other_kernel_sizes_and_widths_are_refused_by_tensor() -> None:
    narrow, wide = (
        anatomy(wide_resnet(IMAGE, 10, depth=16, width=k), f"wrn-16-{k}") for k in (2, 4)
    )
    with pytest.raises(UsageError, match=r"of wrn-16-4 \(stage1\) is 64 x 16 .* is 32 x 16"):
        through(narrow, wide, "append")
    large = resnet(IMAGE, 10, depth=20)
    for module in large.modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == module.out_channels == 64:
            module.weight = nn.Parameter(torch.zeros(64, 64, 5, 5))
    with pytest.raises(UsageError, match=r"\(stage3\) is 64 x 64 x 5 x 5; .* 64 x 64 x 3 x 3"):
        through(bones("cifar-resnet", 14), anatomy(large, "mine"), "append")
