"""MNIST, and Fashion-MNIST in the same format."""

from __future__ import annotations

from pathlib import Path

from ticket.dataset import DataSet
from ticket.fetching import Download, RemoteFile
from ticket_plugins.datasets.idx import read_examples

MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
FASHION_MIRRORS = (
    "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)


def mnist(folder: Path) -> DataSet:
    """Read MNIST from `folder`/mnist: 60,000 + 10,000 images of 1 x 28 x 28.

    Raises TicketError when one of its four files is missing or damaged.
    """
    classes = tuple("0123456789")
    place, name = folder / "mnist", "mnist"
    train_images, train_labels = read_examples(place, "train", name=name, classes=len(classes))
    test_images, test_labels = read_examples(place, "t10k", name=name, classes=len(classes))
    return DataSet(
        name=name,
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        classes=classes,
        mean=(0.1307,),  # of all training pixels
        std=(0.3081,),
        validation=5000,  # Frankle & Carbin 2019: 55,000 are left to train on
        source="Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits",
        licence="CC BY-SA 3.0",
    )


def fashion_mnist(folder: Path) -> DataSet:
    """Read Fashion-MNIST from `folder`/fashion-mnist: 60,000 + 10,000 images of 1 x 28 x 28.

    Raises TicketError when one of its four files is missing or damaged.
    """
    classes = (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    )
    place, name = folder / "fashion-mnist", "fashion-mnist"
    train_images, train_labels = read_examples(place, "train", name=name, classes=len(classes))
    test_images, test_labels = read_examples(place, "t10k", name=name, classes=len(classes))
    return DataSet(
        name=name,
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        classes=classes,
        mean=(0.2860,),  # of all training pixels
        std=(0.3530,),
        validation=5000,
        source="H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST, arXiv 1708.07747",
        licence="MIT",
    )


def mnist_download() -> Download:
    """List the four published files of MNIST."""
    return _listed(
        "mnist",
        MNIST_MIRRORS,
        {
            "train-images-idx3-ubyte.gz": (
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                9_912_422,
            ),
            "train-labels-idx1-ubyte.gz": (
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                28_881,
            ),
            "t10k-images-idx3-ubyte.gz": (
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                1_648_877,
            ),
            "t10k-labels-idx1-ubyte.gz": (
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                4_542,
            ),
        },
    )


def fashion_mnist_download() -> Download:
    """List the four published files of Fashion-MNIST."""
    return _listed(
        "fashion-mnist",
        FASHION_MIRRORS,
        {
            "train-images-idx3-ubyte.gz": (
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                26_421_880,
            ),
            "train-labels-idx1-ubyte.gz": (
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                29_515,
            ),
            "t10k-images-idx3-ubyte.gz": (
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                4_422_102,
            ),
            "t10k-labels-idx1-ubyte.gz": (
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                5_148,
            ),
        },
    )


def _listed(
    folder: str, mirrors: tuple[str, ...], published: dict[str, tuple[str, int]]
) -> Download:
    files = (
        RemoteFile(name, tuple(mirror + name for mirror in mirrors), sha256, size)
        for name, (sha256, size) in published.items()
    )
    return Download(folder, tuple(files))
