"""What was asked of a cloud, kept so that the same can be asked again."""
