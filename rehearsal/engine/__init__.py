"""A Pulumi-compatible engine for rehearsals: a `pulumi` command and the gRPC services behind it."""
