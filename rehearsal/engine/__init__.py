"""A Pulumi-compatible engine in Python: a `pulumi` command and the gRPC services behind it, for rehearsals only."""
