"""CIFAR-100, in the binary format that its authors publish: 100 classes, or their 20 superclasses."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from torch import Tensor

from ticket.dataset import DataSet
from ticket.errors import TicketError
from ticket.fetching import Download, RemoteFile
from ticket_plugins.datasets.cifar_records import check_labels, read_records

FOLDER = "cifar-100-binary"
FILES = ("train.bin", "test.bin")
REMEDY = "run `ticket data fetch cifar100`"

COARSE = """
aquatic_mammals fish flowers food_containers fruit_and_vegetables
household_electrical_devices household_furniture insects large_carnivores
large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores
medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1
vehicles_2
"""
FINE = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo
keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse
mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy
porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper
snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television
tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""

# In the order of the label bytes: every record has a coarse one, then a fine one.
CLASSES = {"coarse": tuple(COARSE.split()), "fine": tuple(FINE.split())}


def cifar100(folder: Path, *, labels: Literal["fine", "coarse"] = "fine") -> DataSet:
    """Read CIFAR-100 from `folder`/cifar-100-binary: 50,000 + 10,000 images of 3 x 32 x 32.

    `labels` takes the 100 classes ("fine") or the 20 superclasses of five each ("coarse"). Raises
    TicketError when a file is missing or damaged.
    """
    place = folder / FOLDER
    train, test = (_read(place / name, labels) for name in FILES)
    return DataSet(
        name="cifar100",
        train_images=train[0],
        train_labels=train[1],
        test_images=test[0],
        test_labels=test[1],
        classes=CLASSES[labels],
        mean=(0.5071, 0.4865, 0.4409),  # of all training pixels, a channel
        std=(0.2673, 0.2564, 0.2762),
        validation=5000,
        crop=4,
        flip=True,
        source="A. Krizhevsky: Learning multiple layers of features from tiny images, 2009",
        licence="none stated; cite the source",
    )


def cifar100_download() -> Download:
    """List the published archive of CIFAR-100, and the two files to take out of it."""
    archive = RemoteFile(
        name="cifar-100-binary.tar.gz",
        urls=("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",),
        # The file whose MD5 its authors give as 03b5dce01913d631647c71ecec9e9cb8.
        sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        bytes=168_513_733,
    )
    return Download("", (archive,), unpack=tuple(f"{FOLDER}/{name}" for name in FILES))


def _read(path: Path, kind: str) -> tuple[Tensor, Tensor]:
    if not path.is_file():
        raise TicketError(f"cifar100: no {path.name} in {path.parent}; {REMEDY}")
    pixels, labels = read_records(path, label_bytes=len(CLASSES), remedy=REMEDY)
    # Both bytes, whichever is asked for: a file of another format shows in either.
    for place, (name, classes) in enumerate(CLASSES.items()):
        check_labels(path, labels[:, place], len(classes), f"CIFAR-100, {name},")
    return pixels.reshape(-1, 3, 32, 32).contiguous(), labels[:, list(CLASSES).index(kind)]
