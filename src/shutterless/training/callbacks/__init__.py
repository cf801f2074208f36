"""What training writes after each epoch: checkpoint, best model, history, TensorBoard events."""
