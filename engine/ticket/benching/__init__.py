"""How fast exported files run, beside the engines that run the same weights dense."""
