"""What greenlight declares to Pulumi, and the pure decisions behind it.

Start with `foundation` (what the models of a stage share), then follow a model: `model_package`,
`inference_endpoint` (whose swap is `endpoint_swap`), `endpoint_autoscaling`, `endpoint_monitoring`.
Decisions without Pulumi or AWS are in files of their own: `settings`, `names`, `rollout`,
`capacity`, `artifact`, `build_context`, `swap_plan`. Nothing here imports another folder of the
repository.
"""
