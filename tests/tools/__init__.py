"""What is run by hand: benchmarks, fuzzing, crashes, the matrix of environments."""
