"""Keras callbacks for what training does after each epoch: one callback, one file."""
