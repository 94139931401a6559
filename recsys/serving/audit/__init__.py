"""The audit of a run: leaks, memory of a language model, biases, and metrics of rankers without training."""
