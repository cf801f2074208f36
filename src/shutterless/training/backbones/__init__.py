"""The backbones: their catalogue, how their input is scaled, and how one is built."""
