"""Which ATen operators are known, by name without the overload, and what translates each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ticket.exporting.aten import forms, layers, pointwise, pools
from ticket.exporting.aten.call import Translation

TRANSLATIONS: Mapping[str, Translation] = MappingProxyType(
    {
        "conv2d": layers.conv2d,
        "convolution": layers.conv2d,
        "linear": layers.linear,
        "addmm": layers.addmm,
        "mm": layers.matmul,
        "matmul": layers.matmul,
        "batch_norm": layers.batch_norm,
        "_native_batch_norm_legit_no_training": layers.batch_norm,
        "native_batch_norm": layers.batch_norm,
        "max_pool2d": pools.max_pool2d,
        "max_pool2d_with_indices": pools.max_pool2d,
        "avg_pool2d": pools.avg_pool2d,
        "adaptive_avg_pool2d": pools.adaptive_avg_pool2d,
        "_adaptive_avg_pool2d": pools.adaptive_avg_pool2d,
        "adaptive_max_pool2d": pools.adaptive_max_pool2d,
        "mean": pools.mean,
        "amax": pools.amax,
        "relu": pointwise.relu,
        "relu6": pointwise.relu6,
        "hardtanh": pointwise.hardtanh,
        "clamp": pointwise.clamp,
        "clamp_min": pointwise.clamp,
        "threshold": pointwise.threshold,
        "add": pointwise.add,
        "sub": pointwise.sub,
        "rsub": pointwise.rsub,
        "mul": pointwise.mul,
        "div": pointwise.div,
        "neg": pointwise.neg,
        "dropout": pointwise.dropout,
        "feature_dropout": pointwise.dropout,
        "alpha_dropout": pointwise.dropout,
        "feature_alpha_dropout": pointwise.dropout,
        "contiguous": pointwise.nothing,
        "clone": pointwise.nothing,
        "detach": pointwise.nothing,
        "alias": pointwise.nothing,
        "to": pointwise.nothing,
        "_to_copy": pointwise.nothing,
        "type_as": pointwise.nothing,
        "lift_fresh_copy": pointwise.nothing,
        "view": forms.reshape,
        "_unsafe_view": forms.reshape,
        "reshape": forms.reshape,
        "flatten": forms.reshape,
        "unflatten": forms.reshape,
        "squeeze": forms.reshape,
        "unsqueeze": forms.reshape,
        "expand": forms.expand,
        "cat": forms.cat,
        "pad": forms.pad,
        "constant_pad_nd": forms.pad,
        "slice": forms.slice_,
        "getitem": forms.piece,
    }
)

# These give their input back, and need not know its shape.
OF_ANY_RANK = frozenset(
    name
    for name, translation in TRANSLATIONS.items()
    if translation in (pointwise.nothing, pointwise.dropout)
)
