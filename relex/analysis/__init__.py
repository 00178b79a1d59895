"""What predictions and data files have to say: metrics, comparisons, splits, descriptions. No tensor."""
