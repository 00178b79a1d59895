"""From examples to token ids: markers, tokens with entity ranges, batches."""
