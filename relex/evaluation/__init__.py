"""How good predictions are: metrics, intervals, comparisons, votes, slices and shift; no tensors."""
