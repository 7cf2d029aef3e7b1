"""The commands of `pulumi`, one module per family; each is imported only when it is asked for."""
