"""The audit of a run: leaks, memory of a language model, and how far rankers without training go."""
