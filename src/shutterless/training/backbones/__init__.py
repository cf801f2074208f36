"""The pretrained backbones: a catalogue of them, their scaling, and how one is built."""
