"""Handwritten digits that ship with ticket, so that every command works before any download.

`digits.csv.gz` is the test part of "Optical Recognition of Handwritten Digits" by E. Alpaydin and
C. Kaynak (1998), UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, licence CC BY
4.0; the bytes are those of the copy in scikit-learn. Each of its 1,797 lines gives the 64 pixels,
0 to 16, of an image of 8 x 8 and then its digit.
"""

from __future__ import annotations

import gzip
from importlib import resources
from pathlib import Path

import numpy as np
import torch

from ticket.dataset import DataSet

LEVELS = 16  # the brightest pixel
TEST_STRIDE = 5  # one image in five of each class is for the test


def digits(folder: Path) -> DataSet:
    """Read the bundled digits: 1,442 + 355 images of 1 x 8 x 8; `folder` is not looked at.

    A pixel p becomes the nearest of 0 to 255 to p * 255 / 16. In file order, the 5th, 10th, 15th,
    ... image of each digit is test data: the classes stay balanced and every writer is in both.
    """
    packed = resources.files("ticket_plugins.datasets").joinpath("digits.csv.gz").read_bytes()
    cells = ",".join(gzip.decompress(packed).decode("ascii").split())
    table = torch.from_numpy(np.fromstring(cells, dtype=np.int64, sep=",")).reshape(-1, 64 + 1)
    pixels = (table[:, :-1] * 255 + LEVELS // 2) // LEVELS
    images = pixels.to(torch.uint8).reshape(-1, 1, 8, 8)
    labels = table[:, -1].contiguous()
    order_in_class = torch.nn.functional.one_hot(labels).cumsum(0)[
        torch.arange(len(labels)), labels
    ]
    test = order_in_class % TEST_STRIDE == 0
    return DataSet(
        name="digits",
        train_images=images[~test],
        train_labels=labels[~test],
        test_images=images[test],
        test_labels=labels[test],
        classes=tuple("0123456789"),
        mean=(0.3052,),  # of all training pixels
        std=(0.3760,),
        validation=288,  # a fifth
        source="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI, 1998",
        licence="CC BY 4.0",
        training={"length": "300it", "eval_every": "10it"},
    )
