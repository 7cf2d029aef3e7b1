"""Stand-ins for the `aws` and `docker` provider plugins, attached by `PULUMI_DEBUG_PROVIDERS`.

They speak pulumirpc.ResourceProvider to either engine and AWS's own HTTP APIs to the rehearsal's
cloud. Nothing of the engine, the cloud or the program may be imported here.
"""
