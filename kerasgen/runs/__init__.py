"""What stands around a training: locks, checkpoints, signals, logs, curves."""
