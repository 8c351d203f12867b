"""The trainings that several networks declare for themselves (`paper_training`)."""

from __future__ import annotations


def cifar_training(batch_size: int = 128) -> dict[str, object]:
    """Return 160 epochs with drops at 80 and 120, as in Frankle et al. 2020 (arXiv 1912.05671)."""
    return {
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "lr": 0.1,
        "weight_decay": 1e-4,
        "batch_size": batch_size,
        "length": "160ep",
        "schedule": {"name": "multistep", "milestones": ["80ep", "120ep"], "gamma": 0.1},
        "eval_every": "1ep",
    }


def imagenet_training(weight_decay: float = 1e-4) -> dict[str, object]:
    """Return 90 epochs with drops at 30, 60 and 80, as in Chen et al. 2021, table 4.

    The rate of 0.4 belongs to the batch of 1,024 images, and to a warm-up of 5 epochs.
    """
    return {
        "optimizer": {"name": "sgd", "momentum": 0.9},
        "lr": 0.4,
        "weight_decay": weight_decay,
        "batch_size": 1024,
        "length": "90ep",
        "schedule": {"name": "multistep", "milestones": ["30ep", "60ep", "80ep"], "gamma": 0.1},
        "warmup": "5ep",
        "eval_every": "1ep",
    }
