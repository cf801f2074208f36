"""The features that a network without its head gives to photos: computed once, and cached."""
