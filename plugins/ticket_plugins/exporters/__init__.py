"""Built-in exporters: the formats that a trained ticket is written in."""
