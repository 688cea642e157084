"""Training: from token files to a checkpoint."""
